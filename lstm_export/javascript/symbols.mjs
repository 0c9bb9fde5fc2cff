/**
 * Texts or ids as a caller has them: one or a batch, as arrays or as a list of ragged ones; and the
 * steps of a stream of them.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 * @typedef {import("./vocabulary.mjs").Vocabulary} Vocabulary
 */

import { InputError } from "./errors.mjs";
import { checkedNames } from "./names.mjs";
import { readLengths } from "./sequences.mjs";
import { slice, squeeze } from "./shapes.mjs";
import { asTensor, cast, isMapping, isTensor, placeText, shapeText } from "./tensors.mjs";
import { encode } from "./vocabulary.mjs";

/** What the `x` of a model of symbols must be; asked as `SequenceFeed` is, for numbers. */
export class SymbolFeed {
  /** @param {Vocabulary} vocabulary */
  constructor(vocabulary) {
    this.vocabulary = vocabulary;
  }

  /**
   * The sequences of a list, or the one tensor of ids (batch, sequence_length) with whether it came
   * with its batch. Throws InputError.
   *
   * @param {any} value
   * @returns {{items: Tensor[]} | {x: Tensor, batched: boolean}}
   */
  read(value) {
    const items = this.#items(value);
    if (items !== null) return { items };
    const tensor = typeof value === "string" ? textIds(this.vocabulary, value, "x") : ids(value);
    if (tensor.dims.length === 2) {
      requireSymbols(tensor, "x");
      return { x: checked(this.vocabulary, tensor, "x"), batched: true };
    }
    const one = this.#sequence(tensor, "x");
    return { x: { ...one, dims: [1, ...one.dims] }, batched: false };
  }

  /**
   * The sequences in a padded batch of ids; what stands behind a row's length is never looked at.
   *
   * @param {any} value
   * @param {any} lengths
   */
  padded(value, lengths) {
    if (typeof value === "string" || this.#items(value) !== null) {
      throw new InputError(
        "lengths go with a padded batch of ids, and x is none: leave them out",
      );
    }
    const tensor = ids(value);
    if (tensor.dims.length !== 2) {
      throw new InputError(
        "lengths go with a padded batch: expected x (batch, sequence_length) of ids, " +
          `got shape ${shapeText(tensor.dims)}`,
      );
    }
    requireSymbols(tensor, "x");
    const ends = readLengths(lengths, tensor.dims[0], tensor.dims[1], 1);
    return ends.map((end, i) => {
      const row = squeeze(slice(tensor, 0, i, i + 1), 0);
      return checked(this.vocabulary, slice(row, 0, 0, end), `x, row ${i}`);
    });
  }

  /** @param {any} value @returns {Tensor[] | null} */
  #items(value) {
    if (!Array.isArray(value)) return null;
    if (value.length === 0) {
      throw new InputError("x is an empty list; expected at least one text or sequence");
    }
    const texts = value.filter((item) => typeof item === "string").length;
    if (texts > 0) {
      if (texts < value.length) {
        throw new InputError("x: expected a list of texts, or of ids, got both in one");
      }
      return value.map((text, i) => textIds(this.vocabulary, text, `x[${i}]`));
    }
    const read = () =>
      value.map((item, i) => this.#sequence(asTensor(item, `x[${i}]`), `x[${i}]`));
    if (value.every((item) => isTensor(item) || ArrayBuffer.isView(item))) return read();
    try {
      asTensor(value, "x");
      return null;
    } catch {
      return read();
    }
  }

  /** @param {Tensor} tensor @param {string} name */
  #sequence(tensor, name) {
    if (tensor.dims.length !== 1) {
      throw new InputError(
        `${name}: expected a text, ids (sequence_length,) or (batch, sequence_length), ` +
          `got shape ${shapeText(tensor.dims)}`,
      );
    }
    requireSymbols(tensor, name);
    return checked(this.vocabulary, tensor, name);
  }
}

/**
 * What the streams of a model of symbols are fed: ids, and for a batch of one texts.
 *
 * @param {Vocabulary} vocabulary
 * @returns {import("./stream_feeds.mjs").Read}
 */
export function symbolFeeds(vocabulary) {
  return (feed, batch, stepwise) => {
    const name = stepwise ? "x_t" : "chunk";
    const given = isMapping(feed) ? checkedNames(feed, ["x"]).x : feed;
    const text = typeof given === "string";
    const tensor = text ? textIds(vocabulary, given, name) : asTensor(given, name);
    const { x, single } = stepwise ? oneId(tensor, batch, text) : chunkOf(tensor, batch);
    return { feeds: { x: checked(vocabulary, x, name) }, length: x.dims[1], single };
  };
}

/** @param {Tensor} tensor @param {number} batch @param {boolean} text */
function oneId({ data, dims, type }, batch, text) {
  if (text && (batch > 1 || dims[0] > 1)) {
    const then = batch === 1 ? "; run takes several" : ": give ids (batch,)";
    throw new InputError(
      `x_t: expected one symbol, got a text of ${dims[0]} for a batch of ${batch}${then}`,
    );
  }
  const single = text || dims.length === 0;
  if (dims.join() !== String(batch) && !(single && batch === 1)) {
    const alone = batch === 1 ? "an id, or " : "";
    throw new InputError(
      `x_t: expected one id of each sequence, ${alone}(${batch},), got shape ${shapeText(dims)}`,
    );
  }
  return { x: { data, dims: [batch, 1], type }, single };
}

/** @param {Tensor} tensor @param {number} batch */
function chunkOf({ data, dims, type }, batch) {
  const single = dims.length === 1;
  const x = { data, dims: single ? [1, ...dims] : dims, type };
  if (x.dims.length !== 2 || x.dims[0] !== batch) {
    const alone = batch === 1 ? "a text, ids (sequence_length,) or " : "";
    throw new InputError(
      `chunk: expected ${alone}(${batch}, sequence_length), got shape ${shapeText(dims)}`,
    );
  }
  if (x.dims[1] === 0) throw new InputError("chunk is empty: expected at least one id");
  return { x, single };
}

/** @param {any} value */
const ids = (value) => asTensor(value, "x");

/** @param {Vocabulary} vocabulary @param {string} text @param {string} name @returns {Tensor} */
function textIds(vocabulary, text, name) {
  const data = encode(vocabulary, text);
  if (data.length === 0) {
    throw new InputError(
      `${name} is '${text}', which has no ${vocabulary.level}: expected at least one`,
    );
  }
  return { data, dims: [data.length], type: "int64" };
}

/** @param {Tensor} tensor @param {string} name */
function requireSymbols({ dims }, name) {
  if (dims.includes(0)) throw new InputError(`${name} is empty: shape ${shapeText(dims)}`);
}

/** As int64, every id one of the model's. @param {Vocabulary} vocabulary @param {Tensor} tensor @param {string} name */
function checked({ symbols }, tensor, name) {
  if (!/^u?int/.test(tensor.type)) {
    throw new InputError(
      `${name}: expected a text, or ids (integers from 0 to ${symbols.length}), got ${tensor.type}`,
    );
  }
  const first = Array.from(tensor.data, Number).findIndex((id) => id < 0 || id > symbols.length);
  if (first >= 0) {
    throw new InputError(
      `${name}: the id ${tensor.data[first]} at ${placeText(tensor.dims, first)} is none of this ` +
        `model's: expected 0 to ${symbols.length}, where 0 is whatever it does not know`,
    );
  }
  return cast(tensor, name, "int64");
}
