/**
 * A bundle of a module: a function from named arrays to arrays, its feeds checked.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 * @typedef {import("./graphs.mjs").Spec} Spec
 */

import { InputError, OptionError } from "./errors.mjs";
import { checkedNames, checkedOptions } from "./names.mjs";
import { grouped, lengthsOfList, readLengths } from "./sequences.mjs";
import { slice, squeeze, stack } from "./shapes.mjs";
import { BATCH, STEPS, moduleFeeds, namedFeeds } from "./stream_feeds.mjs";
import { Stream, dataOf } from "./streams.mjs";
import { asTensor, cast, isMapping, isTensor, requireFinite, shapeText } from "./tensors.mjs";

export class GraphModel {
  #graphs;
  #checks;
  #spec;

  /** @param {import("./graphs.mjs").Graphs} graphs @param {boolean} checks */
  constructor(graphs, checks) {
    this.#spec = graphs.spec("model.onnx");
    this.contract = { task: "module", graph: this.#spec, forecast: null };
    this.#graphs = graphs;
    this.#checks = checks;
  }

  /**
   * The graph's output, or an object of them by name where there are several. Feeds are an object
   * by name, or to a graph of one input that array. A list of arrays without the axis of the batch
   * is one of sequences of any lengths, and so are the rows of a padded batch with `lengths`: every
   * result is that of the sequence alone, outputs for every step come as a list, others stacked.
   *
   * @param {any} feed
   * @param {{lengths?: any}} [options]
   */
  async run(feed, options = {}) {
    const { lengths } = checkedOptions("run", options, ["lengths"]);
    const { inputs } = this.#spec;
    // Where the graph has an input of that name, they are meant for it.
    const own = lengths !== undefined && inputs.some(({ name }) => name === "lengths");
    const sequences = own ? null : this.#sequences(feed, lengths);
    if (sequences !== null) return this.#each(sequences);
    const named = own && isMapping(feed) ? { ...feed, lengths } : feed;
    const given = namedFeeds(named, inputs);
    /** @type {Map<string | number, {size: number, name: string}>} */
    const sizes = new Map();
    const feeds = this.#spec.inputs.map((spec) => [
      spec.name,
      this.#checked(given[spec.name], spec, sizes),
    ]);
    return this.#named(await this.#graphs.run("model.onnx", Object.fromEntries(feeds)));
  }

  /**
   * A new stream over `batch` series. Throws OptionError, with the reason that the bundle gives, for
   * a model that cannot stream.
   *
   * @param {number} [batch]
   */
  stream(batch = 1) {
    if (!this.#graphs.has("stream.onnx")) {
      const notes = this.#graphs.bundle.manifest.provenance?.notes ?? [];
      const reasons = notes.filter((/** @type {string} */ note) => note.includes("stream"));
      throw new OptionError(
        reasons.join("; ") ||
          "this model has no stream.onnx, so it cannot stream: export a bundle of it",
      );
    }
    const data = dataOf(this.#graphs.spec("stream.onnx"));
    return new Stream(this.#graphs, moduleFeeds(data, this.#checks), batch, 0);
  }

  /** Gives the memory of ONNX Runtime's sessions back. */
  async release() {
    await this.#graphs.release();
  }

  /** @param {Record<string, any>} outputs */
  #named(outputs) {
    const values = Object.values(outputs);
    return values.length === 1 ? values[0] : outputs;
  }

  /**
   * @param {any} value
   * @param {Spec} spec
   * @param {Map<string | number, {size: number, name: string}>} sizes
   */
  #checked(value, spec, sizes) {
    const { name, axes, dtype } = spec;
    const tensor = asTensor(value, name);
    const expected = `${name}: expected (${axes.join(", ")}), got shape ${shapeText(tensor.dims)}`;
    if (axes.join() !== "...") {
      if (tensor.dims.length !== axes.length) throw new InputError(expected);
      axes.forEach((axis, place) => {
        const size = tensor.dims[place];
        if (typeof axis === "number" && axis !== size) throw new InputError(expected);
        if (typeof axis === "number" || axis === "?") return;
        const known = sizes.get(axis) ?? { size, name };
        sizes.set(axis, known);
        if (known.size !== size) {
          throw new InputError(
            `${expected}: '${axis}' is ${size} here and ${known.size} in ${known.name}`,
          );
        }
      });
    }
    return this.#values(tensor, name, dtype);
  }

  /** @param {Tensor} tensor @param {string} name @param {string} dtype */
  #values(tensor, name, dtype) {
    if (tensor.dims.includes(0))
      throw new InputError(`${name} is empty: shape ${shapeText(tensor.dims)}`);
    const typed = cast(tensor, name, dtype);
    if (this.#checks) requireFinite(typed, name);
    return typed;
  }

  /**
   * The sequences among the feeds, null if each feed is one array.
   *
   * @param {any} feed
   * @param {any} lengths
   * @returns {Tensor[] | null}
   */
  #sequences(feed, lengths) {
    const spec = sequenceInput(this.#spec.inputs);
    if (spec === null) {
      if (lengths === undefined) return null;
      const inputs = this.#spec.inputs.map(
        ({ name, dtype, axes }) => `${name}: ${dtype} (${axes.join(", ")})`,
      );
      throw new InputError(
        "a list of sequences, or lengths, go to a model with one input of axes (batch, " +
          "sequence_length, …), beside it at most an integer input of their lengths; this one " +
          `takes ${inputs.join("; ")}: call it with each sequence on its own`,
      );
    }
    const { name, axes } = spec;
    const alone = !isMapping(feed) || Object.keys(feed).every((key) => key === name);
    if (!alone && lengths === undefined) return null;
    const value = isMapping(feed) ? checkedNames(feed, [name])[name] : feed;
    const own = axes.filter((axis) => axis !== BATCH);
    const items = listed(value, axes.length, name);
    if (items === null && lengths === undefined) return null;
    if (items !== null && lengths !== undefined) throw lengthsOfList(name);
    const rows = items ?? this.#padded(value, spec, lengths);
    return rows.map((tensor, i) => {
      const place = items === null ? `${name}, row ${i}` : `${name}[${i}]`;
      const fits = own.every((axis, at) => typeof axis !== "number" || axis === tensor.dims[at]);
      if (tensor.dims.length !== own.length || !fits) {
        throw new InputError(
          `${place}: expected a sequence (${own.join(", ")}), got shape ${shapeText(tensor.dims)}`,
        );
      }
      return this.#values(tensor, place, spec.dtype);
    });
  }

  /** @param {any} value @param {Spec} spec @param {any} lengths */
  #padded(value, { name, axes }, lengths) {
    const tensor = asTensor(value, name);
    if (tensor.dims.length !== axes.length) {
      throw new InputError(
        `lengths go with a padded batch: expected ${name} (${axes.join(", ")}), ` +
          `got shape ${shapeText(tensor.dims)}`,
      );
    }
    const [batch, steps] = [axes.indexOf(BATCH), axes.indexOf(STEPS)];
    const ends = readLengths(lengths, tensor.dims[batch], tensor.dims[steps], 1);
    return ends.map((end, row) =>
      squeeze(slice(slice(tensor, batch, row, row + 1), steps, 0, end), batch),
    );
  }

  /**
   * Sequences of one length run together where the rows of a batch are independent, else alone.
   *
   * @param {Tensor[]} items
   */
  async #each(items) {
    const { inputs, outputs } = this.#spec;
    const spec = /** @type {Spec} */ (sequenceInput(inputs));
    const counted = inputs.find((input) => input !== spec);
    const [batch, steps] = [
      spec.axes.indexOf(BATCH),
      spec.axes.filter((axis) => axis !== BATCH).indexOf(STEPS),
    ];
    const together =
      this.#graphs.bundle.manifest.independent_rows === true &&
      outputs.every(({ axes }) => axes.includes(BATCH));
    const groups = together
      ? grouped(items, steps, batch)
      : items.map((item, i) => ({ places: [i], x: stack([item], batch) }));
    /** @type {Record<string, Tensor>[]} */
    const rows = new Array(items.length);
    for (const { places, x } of groups) {
      const ends = places.map((i) => items[i].dims[steps]);
      const lengths = counted && cast(asTensor(ends, counted.name), counted.name, counted.dtype);
      const feeds =
        counted && lengths ? { [spec.name]: x, [counted.name]: lengths } : { [spec.name]: x };
      const results = await this.#graphs.run("model.onnx", feeds);
      places.forEach((place, row) => {
        rows[place] = Object.fromEntries(
          outputs.map((output) => [output.name, ofRow(results[output.name], output, row)]),
        );
      });
    }
    const gathered = outputs.map(({ name, axes }) => {
      const values = rows.map((row) => row[name]);
      const named = axes.filter((axis) => typeof axis === "string");
      return [name, named.join() === BATCH ? stack(values, 0) : values];
    });
    return this.#named(Object.fromEntries(gathered));
  }
}

/** @param {Tensor} value @param {Spec} spec @param {number} row */
function ofRow(value, { axes }, row) {
  const axis = axes.indexOf(BATCH);
  return axis < 0 ? value : squeeze(slice(value, axis, row, row + 1), axis);
}

/**
 * The input that a list of sequences goes to, if the graph takes one.
 *
 * @param {readonly Spec[]} inputs
 */
function sequenceInput(inputs) {
  const sequences = inputs.filter(({ axes }) => axes.includes(BATCH) && axes.includes(STEPS));
  const others = inputs.filter((spec) => !sequences.includes(spec));
  const lengths = others.every(
    ({ name, dtype, axes }) =>
      axes.join() === BATCH && /^int(32|64)$/.test(dtype) && name.includes("len"),
  );
  if (sequences.length !== 1 || others.length > 1 || !lengths) return null;
  const named = sequences[0].axes.filter((axis) => typeof axis === "string").sort();
  return named.join() === `${BATCH},${STEPS}` ? sequences[0] : null;
}

/**
 * The items of a list of arrays without the axis of the batch, or of ragged arrays.
 *
 * @param {any} value
 * @param {number} rank
 * @param {string} name
 */
function listed(value, rank, name) {
  if (!Array.isArray(value) || value.length === 0) return null;
  const read = () => value.map((item, i) => asTensor(item, `${name}[${i}]`));
  if (value.every((item) => isTensor(item) || ArrayBuffer.isView(item))) {
    const items = read();
    return items.every(({ dims }) => dims.length === rank - 1) ? items : null;
  }
  try {
    asTensor(value, name);
    return null;
  } catch {
    return rank > 1 ? read() : null;
  }
}
