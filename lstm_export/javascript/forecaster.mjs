/**
 * A forecaster: raw rows in, forecasts in raw units out.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 */

import { InputError, OptionError } from "./errors.mjs";
import { checkedSteps, halfWidths, knownOf, readFuture } from "./horizon.mjs";
import { checkedNames, checkedOptions } from "./names.mjs";
import { SequenceFeed, grouped, padded } from "./sequences.mjs";
import { concat, slice, squeeze, take, zeros } from "./shapes.mjs";
import { rowFeeds } from "./stream_feeds.mjs";
import { Stream } from "./streams.mjs";
import { isMapping } from "./tensors.mjs";

export class ForecastModel {
  #graphs;
  #checks;
  #feed;

  /** @param {import("./graphs.mjs").Graphs} graphs @param {boolean} checks */
  constructor(graphs, checks) {
    const { task, graphs: specs, forecast, intervals } = graphs.bundle.manifest;
    this.contract = { task, graph: specs["model.onnx"], forecast };
    this.terms = forecast;
    this.intervals = intervals ?? null;
    this.#graphs = graphs;
    this.#checks = checks;
    this.#feed = new SequenceFeed(forecast.features, forecast.window.difference + 1, checks);
  }

  /**
   * The next `horizon` rows of the targets after each sequence: (batch, horizon, targets), or
   * (horizon, targets) for one without a batch. Every result is that of the sequence alone.
   *
   * @param {any} x
   * @param {{lengths?: any}} [options]
   * @returns {Promise<Tensor>}
   */
  async run(x, options = {}) {
    const { lengths } = checkedOptions("run", options, ["lengths"]);
    const given = named(x);
    if (lengths !== undefined) return this.#each(this.#feed.padded(given, lengths));
    const read = this.#feed.read(given);
    if ("items" in read) return this.#each(read.items);
    const output = await this.#model(read.x);
    return read.batched ? output : squeeze(output, 0);
  }

  /**
   * The next `horizon` rows of the targets: (horizon, targets) or (batch, horizon, targets). With
   * `coverage` the forecast, and the bounds that the truth lies between with that probability.
   *
   * @param {any} history
   * @param {number} [horizon]
   * @param {{future?: any, coverage?: number}} [options]
   */
  async forecast(history, horizon, options = {}) {
    const { future, coverage } = checkedOptions("forecast", options, ["future", "coverage"]);
    const { window, targets } = this.terms;
    const steps = checkedSteps(this.terms, horizon, future);
    const widths = coverage === undefined ? null : halfWidths(this.intervals, coverage, steps);
    const read = this.#feed.read(named(history), window.context_length + window.difference);
    const batch = "items" in read ? read.items.length : read.x.dims[0];
    const known =
      future === undefined ? undefined : readFuture(this.terms, future, steps, batch, this.#checks);
    let found;
    if ("items" in read) {
      found = await this.#merged(grouped(read.items), batch, steps, (x, places) =>
        this.#ahead(x, steps, known && take(known, 0, places)),
      );
    } else {
      const output = await this.#ahead(read.x, steps, known);
      found = read.batched ? output : squeeze(output, 0);
    }
    if (widths === null) return found;
    const moved = (/** @type {number} */ sign) => ({
      ...found,
      data: found.data.map(
        (/** @type {number} */ value, /** @type {number} */ i) =>
          value +
          sign * Math.fround(widths[Math.floor(i / targets.length) % steps][i % targets.length]),
      ),
    });
    return { forecast: found, lower: moved(-1), upper: moved(1) };
  }

  /**
   * A new stream over `batch` series. Throws OptionError for a model of two directions.
   *
   * @param {number} [batch]
   */
  stream(batch = 1) {
    if (this.terms.recurrent.bidirectional) {
      throw new OptionError(
        "this model reads its input in two directions, so it needs whole sequences and cannot " +
          "stream; train it without --bidirectional, or call it on a sliding window",
      );
    }
    const read = rowFeeds(this.terms.features, this.#checks);
    return new Stream(this.#graphs, read, batch, this.terms.window.difference);
  }

  /** Gives the memory of ONNX Runtime's sessions back. */
  async release() {
    await this.#graphs.release();
  }

  /** @param {Tensor} x */
  async #model(x) {
    return (await this.#graphs.run("model.onnx", { x })).output;
  }

  /** @param {Tensor[]} items */
  async #each(items) {
    const { horizon } = this.terms.window;
    const ragged =
      this.#graphs.has("ragged.onnx") && new Set(items.map(({ dims }) => dims[0])).size > 1;
    if (!ragged) return this.#merged(grouped(items), items.length, horizon, (x) => this.#model(x));
    return this.#merged(padded(items), items.length, horizon, async (x, places) => {
      const lengths = BigInt64Array.from(places, (i) => BigInt(items[i].dims[0]));
      const ends = { data: lengths, dims: [places.length], type: "int64" };
      return (await this.#graphs.run("ragged.onnx", { x, lengths: ends })).output;
    });
  }

  /**
   * The results of groups of sequences, in the order of the sequences.
   *
   * @param {{places: number[], x: Tensor}[]} groups
   * @param {number} batch
   * @param {number} steps
   * @param {(x: Tensor, places: number[]) => Promise<Tensor>} run
   */
  async #merged(groups, batch, steps, run) {
    const merged = zeros("float32", [batch, steps, this.terms.targets.length]);
    const size = steps * this.terms.targets.length;
    for (const { places, x } of groups) {
      const { data } = await run(x, places);
      places.forEach((place, i) =>
        merged.data.set(data.subarray(i * size, (i + 1) * size), place * size),
      );
    }
    return merged;
  }

  /**
   * The next `steps` rows after checked histories, (batch, steps, targets).
   *
   * @param {Tensor} x
   * @param {number} steps
   * @param {Tensor} [future]
   */
  async #ahead(x, steps, future) {
    const { window, recurrent } = this.terms;
    if (steps <= window.horizon) return slice(await this.#model(x), 1, 0, steps);
    if (!recurrent.bidirectional && this.#graphs.has("forecast.onnx")) {
      const horizon = { data: BigInt64Array.of(BigInt(steps)), dims: [], type: "int64" };
      /** @type {Record<string, Tensor>} */
      const feeds = { x, horizon };
      if (future !== undefined) feeds.future = future;
      return (await this.#graphs.run("forecast.onnx", feeds)).output;
    }
    // One run a step over the rows again: one direction remembers all, two the trained window.
    let seen = x;
    const outputs = [await this.#model(seen)];
    for (let step = 0; step < steps - 1; step++) {
      seen = concat([seen, this.#nextRow(outputs[step], future, step)], 1);
      const length = seen.dims[1];
      const first = recurrent.bidirectional
        ? length - window.context_length - window.difference
        : 0;
      outputs.push(await this.#model(slice(seen, 1, Math.max(0, first), length)));
    }
    return concat(outputs, 1);
  }

  /**
   * The forecast (batch, 1, targets), beside what is known, as the row that follows.
   *
   * @param {Tensor} output
   * @param {Tensor | undefined} future
   * @param {number} step
   */
  #nextRow(output, future, step) {
    const { features, targets } = this.terms;
    const batch = output.dims[0];
    const row = zeros("float32", [batch, 1, features.length]);
    const targetNames = targets.map((/** @type {any} */ column) => column.name);
    const known = knownOf(this.terms);
    features.forEach((/** @type {any} */ { name }, /** @type {number} */ place) => {
      const target = targetNames.indexOf(name);
      for (let i = 0; i < batch; i++) {
        row.data[i * features.length + place] =
          target >= 0
            ? output.data[i * targets.length + target]
            : future?.data[(i * future.dims[1] + step) * known.length + known.indexOf(name)];
      }
    });
    return row;
  }
}

/** @param {any} feed */
function named(feed) {
  if (feed === undefined || feed === null)
    throw new InputError("the input 'x' is missing; the model's inputs are x");
  return isMapping(feed) ? checkedNames(feed, ["x"]).x : feed;
}
