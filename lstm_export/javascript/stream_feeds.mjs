/**
 * What the streams of a model are fed: rows of a table, or a module's inputs by name.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 * @typedef {import("./graphs.mjs").Spec} Spec
 * @typedef {{feeds: Record<string, Tensor>, length: number, single: boolean}} Fed
 *     feeds with all their axes; `single` where they came without that of the batch
 * @typedef {(feed: any, batch: number, stepwise: boolean) => Fed} Read
 */

import { InputError } from "./errors.mjs";
import { checkedNames } from "./names.mjs";
import { expand } from "./shapes.mjs";
import { asTensor, cast, isMapping, requireFinite, shapeText } from "./tensors.mjs";

export const BATCH = "batch";
export const STEPS = "sequence_length";

/** @param {readonly {name: string}[]} features @param {boolean} checks @returns {Read} */
export function rowFeeds(features, checks) {
  const columns = features.map((column) => column.name);
  const width = columns.length;
  return (feed, batch, stepwise) => {
    const name = stepwise ? "x_t" : "chunk";
    const given = isMapping(feed) ? checkedNames(feed, ["x"]).x : feed;
    const tensor = asTensor(given, name);
    const { x, single } = stepwise ? oneRow(tensor, batch, width) : chunkOf(tensor, batch, width);
    const float32 = cast(x, name, "float32", { columns });
    if (checks) requireFinite(float32, name, { columns });
    return { feeds: { x: float32 }, length: x.dims[1], single };
  };
}

/** @param {Tensor} tensor @param {number} batch @param {number} width */
function oneRow({ data, dims, type }, batch, width) {
  const single = dims.length < 2;
  const oneValue = dims.length === 0 && width === 1;
  const expected = single ? [width] : [batch, width];
  if ((dims.join() !== expected.join() && !oneValue) || (single && batch > 1)) {
    const alone = batch === 1 ? `(${width},) or ` : "";
    throw new InputError(
      `x_t: expected one row of each series, ${alone}(${batch}, ${width}), ` +
        `got shape ${shapeText(dims)}`,
    );
  }
  return { x: { data, dims: [batch, 1, width], type }, single };
}

/** @param {Tensor} tensor @param {number} batch @param {number} width */
function chunkOf(tensor, batch, width) {
  const rows = tensor.dims.length === 1 && width === 1 ? expand(tensor, 1) : tensor;
  const single = rows.dims.length === 2;
  const x = single ? expand(rows, 0) : rows;
  if (x.dims.length !== 3 || x.dims[2] !== width || x.dims[0] !== batch) {
    const alone = batch === 1 ? `(sequence_length, ${width}) or ` : "";
    throw new InputError(
      `chunk: expected ${alone}(${batch}, sequence_length, ${width}), ` +
        `got shape ${shapeText(rows.dims)}`,
    );
  }
  if (x.dims[1] === 0) throw new InputError("chunk is empty: expected at least one row");
  return { x, single };
}

/**
 * @param {readonly Spec[]} specs the data inputs of a stream graph
 * @param {boolean} checks
 * @returns {Read}
 */
export function moduleFeeds(specs, checks) {
  return (feed, batch, stepwise) => {
    const given = namedFeeds(feed, specs);
    /** @type {Record<string, number>} */
    const sizes = stepwise ? { [BATCH]: batch, [STEPS]: 1 } : { [BATCH]: batch };
    /** @type {Record<string, Tensor>} */
    const feeds = {};
    const alone = [];
    for (const spec of specs) {
      const { name, axes, dtype } = spec;
      const left = asTensor(given[name], name);
      const steps = stepwise ? axes.indexOf(STEPS) : -1;
      const wanted = axes.filter((_, place) => place !== steps);
      const single = batch === 1 && axes.includes(BATCH) && left.dims.length === wanted.length - 1;
      const rows = single ? expand(left, wanted.indexOf(BATCH)) : left;
      const whole = steps < 0 || rows.dims.length !== wanted.length ? rows : expand(rows, steps);
      const fits = axes.every((axis, place) => {
        if (axis === "?") return true;
        const size = whole.dims[place];
        return size === (typeof axis === "number" ? axis : (sizes[axis] ??= size));
      });
      if (whole.dims.length !== axes.length || !fits) {
        const expected = shapeText(wanted.map((axis) => sizes[axis] ?? axis));
        const what = stepwise ? "one step of each series" : "a chunk";
        throw new InputError(
          `${name}: expected ${what}, ${expected}, got shape ${shapeText(left.dims)}`,
        );
      }
      if (whole.dims.includes(0))
        throw new InputError(`${name} is empty: expected at least one step`);
      feeds[name] = cast(whole, name, dtype);
      if (checks) requireFinite(feeds[name], name);
      if (axes.includes(BATCH)) alone.push({ name, single });
    }
    const without = alone.filter(({ single }) => single).map(({ name }) => name);
    if (without.length > 0 && without.length < alone.length) {
      throw new InputError(
        `${without.join(", ")} came without a batch axis and the other inputs with one: ` +
          "give it to all or to none",
      );
    }
    return { feeds, length: sizes[STEPS] ?? 1, single: without.length > 0 };
  };
}

/**
 * One array or an object of them as an object by name. Throws InputError.
 *
 * @param {any} feed
 * @param {readonly Spec[]} specs
 * @returns {Record<string, any>}
 */
export function namedFeeds(feed, specs) {
  const names = specs.map(({ name }) => name);
  if (feed === undefined || feed === null) return checkedNames({}, names);
  if (isMapping(feed)) return checkedNames(feed, names);
  if (names.length !== 1) {
    throw new InputError(`the model has the inputs ${names.join(", ")}: give each by its name`);
  }
  return { [names[0]]: feed };
}
