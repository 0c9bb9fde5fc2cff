/**
 * Models that answer whole sequences, or each of their steps: rows of numbers or texts in,
 * probabilities or numbers out.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 */

import { InputError, OptionError } from "./errors.mjs";
import { checkedNames, checkedOptions } from "./names.mjs";
import { SequenceFeed, grouped, padded } from "./sequences.mjs";
import { slice, squeeze, stack } from "./shapes.mjs";
import { rowFeeds } from "./stream_feeds.mjs";
import { Stream } from "./streams.mjs";
import { SymbolFeed, symbolFeeds } from "./symbols.mjs";
import { isMapping } from "./tensors.mjs";

export class AnswerModel {
  #graphs;
  #checks;
  #feed;
  #output;

  /** @param {import("./graphs.mjs").Graphs} graphs @param {boolean} checks */
  constructor(graphs, checks) {
    const { task, graphs: specs, sequences } = graphs.bundle.manifest;
    this.contract = { task, graph: specs["model.onnx"], forecast: null, sequences };
    this.terms = sequences;
    this.#graphs = graphs;
    this.#checks = checks;
    this.#output = specs["model.onnx"].outputs[0].name;
    this.#feed = sequences.vocabulary
      ? new SymbolFeed(sequences.vocabulary)
      : new SequenceFeed(sequences.features, 1, checks);
  }

  /**
   * The probabilities of the classes, or the targets in their units: (batch, width), or (width,)
   * for one without a batch. Where every step is answered there is an axis for the steps before
   * the last, and a list of sequences, or a batch with `lengths`, gives a list. Every result is
   * that of the sequence alone.
   *
   * @param {any} x
   * @param {{lengths?: any}} [options]
   * @returns {Promise<any>}
   */
  async run(x, options = {}) {
    const { lengths } = checkedOptions("run", options, ["lengths"]);
    const given = this.#named(x);
    if (lengths !== undefined) return this.#each(this.#feed.padded(given, lengths));
    const read = this.#feed.read(given);
    if ("items" in read) return this.#each(read.items);
    const output = (await this.#graphs.run("model.onnx", { x: read.x }))[this.#output];
    return read.batched ? output : squeeze(output, 0);
  }

  /**
   * A new stream over `batch` sequences: an answer after every step. Throws OptionError for a model
   * that needs whole sequences.
   *
   * @param {number} [batch]
   */
  stream(batch = 1) {
    const { features, vocabulary, recurrent, pooling } = this.terms;
    if (!this.#graphs.has("stream.onnx")) {
      const why = recurrent.bidirectional
        ? "reads its input in two directions"
        : `answers with the ${pooling} over all steps`;
      throw new OptionError(`this model ${why}: it needs whole sequences and cannot stream`);
    }
    const read = vocabulary ? symbolFeeds(vocabulary) : rowFeeds(features, this.#checks);
    return new Stream(this.#graphs, read, batch, 0);
  }

  /** Gives the memory of ONNX Runtime's sessions back. */
  async release() {
    await this.#graphs.release();
  }

  /** @param {any} feed */
  #named(feed) {
    if (feed === undefined || feed === null)
      throw new InputError("the input 'x' is missing; the model's inputs are x");
    const x = isMapping(feed) ? checkedNames(feed, ["x"]).x : feed;
    const texts = Array.isArray(x) ? x : [x];
    if (!this.terms.vocabulary && texts.some((one) => typeof one === "string")) {
      const columns = this.terms.features.map((/** @type {any} */ { name }) => name).join(", ");
      throw new InputError(`x is a text, and this model reads rows of numbers: ${columns}`);
    }
    return x;
  }

  /** @param {Tensor[]} items */
  async #each(items) {
    const differ = new Set(items.map(({ dims }) => dims[0])).size > 1;
    /** @type {Tensor[]} */
    const answers = new Array(items.length);
    for (const { places, x } of differ ? padded(items) : grouped(items)) {
      const ends = places.map((place) => items[place].dims[0]);
      const lengths = {
        data: BigInt64Array.from(ends, BigInt),
        dims: [ends.length],
        type: "int64",
      };
      const results = differ
        ? await this.#graphs.run("ragged.onnx", { x, lengths })
        : await this.#graphs.run("model.onnx", { x });
      places.forEach((place, row) => {
        const answer = squeeze(slice(results[this.#output], 0, row, row + 1), 0);
        answers[place] = this.terms.pooling ? answer : slice(answer, 0, 0, ends[row]);
      });
    }
    return this.terms.pooling ? stack(answers, 0) : answers;
  }
}

/** A model that classifies sequences, or tags their steps; `run` gives probabilities. */
export class LabelModel extends AnswerModel {
  /** The labels, in the order of the probabilities. */
  get classes() {
    return this.terms.classes;
  }

  /**
   * The likeliest label of one sequence, or of each of several.
   *
   * @param {any} x
   * @param {{lengths?: any}} [options]
   * @returns {Promise<string | string[]>}
   */
  async classify(x, options = {}) {
    if (!this.terms.pooling) {
      throw new OptionError("this model labels every step of a sequence: call tag");
    }
    return this.#labels(await this.run(x, options));
  }

  /**
   * The likeliest label of every step of one sequence, or of each of several.
   *
   * @param {any} x
   * @param {{lengths?: any}} [options]
   * @returns {Promise<string[] | string[][]>}
   */
  async tag(x, options = {}) {
    if (this.terms.pooling) {
      throw new OptionError("this model labels whole sequences: call classify");
    }
    const answers = await this.run(x, options);
    return Array.isArray(answers)
      ? answers.map((steps) => this.#labels(steps))
      : this.#labels(answers);
  }

  /** The labels of (..., classes), nested as the axes before the last. @param {Tensor} probabilities @returns {any} */
  #labels({ data, dims, type }) {
    if (dims.length > 1) {
      const size = data.length / dims[0];
      return Array.from({ length: dims[0] }, (_, i) =>
        this.#labels({
          data: data.subarray(i * size, (i + 1) * size),
          dims: dims.slice(1),
          type,
        }),
      );
    }
    if (data.some(Number.isNaN)) {
      throw new InputError("some probabilities are NaN, so there is no likeliest class");
    }
    return this.classes[data.indexOf(Math.max(...data))];
  }
}
