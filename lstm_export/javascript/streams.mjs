/**
 * A stream: a model fed as its data arrives, its state carried from call to call.
 *
 * However the steps are cut into chunks, the outputs are those of one run over all of them. A call
 * that is refused leaves the state as it was.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 * @typedef {import("./graphs.mjs").Spec} Spec
 * @typedef {{carried: Record<string, Tensor>, seen: number[]}} State
 */

import { ContractError, InputError } from "./errors.mjs";
import { atLeastOne } from "./names.mjs";
import { concat, expand, slice, squeeze, take, zeros } from "./shapes.mjs";
import { BATCH, STEPS } from "./stream_feeds.mjs";
import { ARRAYS, asTensor, sizeOf } from "./tensors.mjs";

const GRAPH = "stream.onnx";
const ROWS = "initial_rows";

/**
 * The states of a stream graph: inputs `initial_NAME` that come out as `final_NAME`.
 *
 * @param {{inputs: Spec[], outputs: Spec[]}} graph
 */
export function statesOf({ inputs, outputs }) {
  const names = new Set(outputs.map(({ name }) => name));
  return inputs
    .map((spec) => ({ ...spec, final: spec.name.replace(/^initial_/, "final_") }))
    .filter(({ name, final }) => name !== final && names.has(final));
}

/** What is no state. @param {{inputs: Spec[], outputs: Spec[]}} graph */
export function dataOf(graph) {
  const states = new Set(statesOf(graph).map(({ name }) => name));
  return graph.inputs.filter(({ name }) => !states.has(name));
}

export class Stream {
  #graphs;
  #read;
  #lag;
  /** @type {State} */
  #state;
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @param {import("./graphs.mjs").Graphs} graphs
   * @param {import("./stream_feeds.mjs").Read} read
   * @param {number} batch
   * @param {number} lag K of a forecaster on differences: it has nothing to say for the first K rows
   */
  constructor(graphs, read, batch, lag) {
    this.batch = atLeastOne("batch", batch);
    this.#graphs = graphs;
    this.#read = read;
    this.#lag = lag;
    this.#state = this.#fresh();
  }

  /**
   * The outputs after one more step: inputs without their step axis, and for a batch of one without
   * that of the batch too.
   *
   * @param {any} feed
   */
  step(feed) {
    return this.#call(feed, true);
  }

  /**
   * The outputs after each step of a chunk.
   *
   * @param {any} feed
   */
  run(feed) {
    return this.#call(feed, false);
  }

  /**
   * Forgets everything, or the series `rows`: an index, a list of them, or booleans (batch,).
   *
   * @param {any} [rows]
   */
  reset(rows) {
    return this.#inTurn(async () => {
      const fresh = this.#fresh();
      const chosen = rows === undefined ? fresh.seen.map(() => true) : mask(rows, this.batch);
      this.#state = this.#mixed(fresh, this.#state, chosen);
    });
  }

  /**
   * Calls run in the order in which they were made, awaited or not.
   *
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  #inTurn(work) {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** @param {any} feed @param {boolean} stepwise */
  async #call(feed, stepwise) {
    const { feeds, length, single } = this.#read(feed, this.batch, stepwise);
    // The caller may fill the array anew before its turn comes.
    const own = Object.fromEntries(
      Object.entries(feeds).map(([name, value]) => [name, { ...value, data: value.data.slice() }]),
    );
    const outputs = await this.#inTurn(() => this.#advance(own, length));
    const answers = this.#outputs().map((spec) => {
      const gone = [stepwise ? stepAxis(spec) : -1, single ? rowAxis(spec) : -1];
      const kept = gone
        .sort()
        .reverse()
        .filter((axis) => axis >= 0);
      return [spec.name, kept.reduce(squeeze, outputs[spec.name])];
    });
    return answers.length === 1 ? answers[0][1] : Object.fromEntries(answers);
  }

  /**
   * All outputs with an axis for the steps; the state follows.
   *
   * @param {Record<string, Tensor>} feeds
   * @param {number} length
   */
  async #advance(feeds, length) {
    const graph = this.#graphs.spec(GRAPH);
    // Some say a value for every step, some only after the last one.
    const stepwise = this.#outputs().some(({ axes }) => !axes.includes(STEPS));
    let state = this.#state;
    /** @type {Record<string, Tensor>[]} */
    const pieces = [];
    for (let start = 0; start < length;) {
      const cold = state.seen.some((seen) => seen < this.#lag);
      const stop = stepwise || cold ? start + 1 : length;
      const part = Object.fromEntries(
        dataOf(graph).map(({ name, axes }) => {
          const axis = axes.indexOf(STEPS);
          const whole = axis < 0 || stop - start === length;
          return [name, whole ? feeds[name] : slice(feeds[name], axis, start, stop)];
        }),
      );
      const after = cold ? await this.#warmUp(part, state) : await this.#piece(part, state);
      pieces.push(after.outputs);
      state = after.state;
      start = stop;
    }
    this.#state = state;
    return Object.fromEntries(
      this.#outputs().map((spec) => [
        spec.name,
        concat(
          pieces.map((piece) => piece[spec.name]),
          stepAxis(spec),
        ),
      ]),
    );
  }

  /** One run. @param {Record<string, Tensor>} feeds @param {State} state */
  async #piece(feeds, state) {
    const results = await this.#graphs.run(GRAPH, { ...feeds, ...state.carried });
    const carried = Object.fromEntries(
      this.#states().map(({ name, final }) => [name, results[final]]),
    );
    for (const [name, { dims }] of Object.entries(carried)) {
      if (dims.join() !== state.carried[name].dims.join()) {
        throw new ContractError(`${this.#graphs.bundle.where(GRAPH)}: ${name} came out as ${dims}`);
      }
    }
    const outputs = Object.fromEntries(
      this.#outputs().map((spec) => {
        const value = results[spec.name];
        return [spec.name, spec.axes.includes(STEPS) ? value : expand(value, stepAxis(spec))];
      }),
    );
    return { outputs, state: { carried, seen: state.seen } };
  }

  /**
   * One step where some series have not seen K rows yet: these only take in their raw rows, since
   * the graph cannot tell a missing row from a zero.
   *
   * @param {Record<string, Tensor>} feeds
   * @param {State} state
   */
  async #warmUp(feeds, state) {
    const after = await this.#piece(feeds, state);
    const cold = state.seen.map((seen) => seen < this.#lag);
    const rows = concat([slice(state.carried[ROWS], 1, 1, this.#lag), feeds.x], 1);
    const kept = this.#mixed(state, after.state, cold);
    const seen = state.seen.map((count) => Math.min(count + 1, this.#lag));
    const [{ name }] = this.#outputs();
    const { data, dims } = after.outputs[name];
    const size = sizeOf(dims.slice(1));
    cold.forEach((isCold, row) => isCold && data.fill(NaN, row * size, (row + 1) * size));
    return { outputs: after.outputs, state: { carried: { ...kept.carried, [ROWS]: rows }, seen } };
  }

  /**
   * The series that `chosen` names from one state, all others from another.
   *
   * @param {State} one
   * @param {State} other
   * @param {boolean[]} chosen
   * @returns {State}
   */
  #mixed(one, other, chosen) {
    const carried = this.#states().map((spec) => {
      const axis = rowAxis(spec);
      const both = concat([one.carried[spec.name], other.carried[spec.name]], axis);
      const places = chosen.map((isChosen, row) => (isChosen ? row : row + this.batch));
      return [spec.name, take(both, axis, places)];
    });
    const seen = chosen.map((isChosen, row) => (isChosen ? one : other).seen[row]);
    return { carried: Object.fromEntries(carried), seen };
  }

  /** The state before the first step. @returns {State} */
  #fresh() {
    const starts = this.#graphs.bundle.manifest.stream_start ?? {};
    const carried = this.#states().map((spec) => {
      const dims = spec.axes.map((axis) => (axis === BATCH ? this.batch : Number(axis)));
      const axis = rowAxis(spec);
      if (axis < 0 || dims.some(Number.isNaN)) {
        throw new ContractError(
          `the stream's state ${spec.name} must have one axis 'batch' and otherwise known sizes`,
        );
      }
      if (starts[spec.name] === undefined) return [spec.name, zeros(spec.dtype, dims)];
      const start = asTensor(starts[spec.name], spec.name);
      const Typed = /** @type {any} */ (ARRAYS)[spec.dtype];
      const one = expand({ ...start, data: Typed.from(start.data), type: spec.dtype }, axis);
      return [spec.name, take(one, axis, new Array(this.batch).fill(0))];
    });
    return { carried: Object.fromEntries(carried), seen: new Array(this.batch).fill(0) };
  }

  #states() {
    return statesOf(this.#graphs.spec(GRAPH));
  }

  #outputs() {
    const graph = this.#graphs.spec(GRAPH);
    const finals = new Set(statesOf(graph).map(({ final }) => final));
    return graph.outputs.filter(({ name }) => !finals.has(name));
  }
}

/** @param {Spec} spec */
const rowAxis = ({ axes }) => axes.indexOf(BATCH);

/**
 * Where the steps stand, or would stand in an output that is given once for all of them.
 *
 * @param {Spec} spec
 */
const stepAxis = (spec) =>
  spec.axes.includes(STEPS) ? spec.axes.indexOf(STEPS) : rowAxis(spec) + 1;

/** @param {any} rows @param {number} batch @returns {boolean[]} */
function mask(rows, batch) {
  const list = Array.isArray(rows) ? rows : [rows];
  const booleans = list.length === batch && list.every((row) => typeof row === "boolean");
  if (booleans) return list;
  if (!list.every((row) => Number.isInteger(row) && row >= 0 && row < batch)) {
    throw new InputError(
      `rows must be an index from 0 to ${batch - 1}, a list of them, or a boolean mask ` +
        `(${batch},); got ${JSON.stringify(rows)}`,
    );
  }
  return Array.from({ length: batch }, (_, row) => list.includes(row));
}
