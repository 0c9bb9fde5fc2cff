/**
 * Raw sequences as a caller has them: one or a batch, as arrays or as a list of ragged ones.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 */

import { InputError } from "./errors.mjs";
import { slice, squeeze, stack, zeros } from "./shapes.mjs";
import { asTensor, cast, isTensor, requireFinite, shapeText } from "./tensors.mjs";

/** Rows that are padded together: the longest of them says how many steps are computed for all. */
const ROWS = 16;

/** What the `x` of a model of numbers must be. */
export class SequenceFeed {
  /**
   * @param {readonly {name: string}[]} features
   * @param {number} shortest
   * @param {boolean} checks refuses what is not finite
   */
  constructor(features, shortest, checks) {
    this.columns = features.map((column) => column.name);
    this.width = this.columns.length;
    this.shortest = shortest;
    this.checks = checks;
  }

  /**
   * The sequences of a list, or the one tensor (batch, sequence_length, input_size) with whether it
   * came with its batch. `last` keeps only that many last rows; what came before them is not looked
   * at. Throws InputError.
   *
   * @param {any} value
   * @param {number} [last]
   * @returns {{items: Tensor[]} | {x: Tensor, batched: boolean}}
   */
  read(value, last) {
    const { items, tensor } = listed(value, this.width);
    if (items !== undefined) {
      const named = items.map((item, i) => ({ item, name: `x[${i}]` }));
      return {
        items: named.map(({ item, name }) => this.checked(this.sequence(item, name), name, last)),
      };
    }
    if (tensor.dims.length === 3) {
      this.#requireShape(tensor, "x");
      return { x: this.checked(tensor, "x", last), batched: true };
    }
    const one = this.checked(this.sequence(tensor, "x"), "x", last);
    return { x: { ...one, dims: [1, ...one.dims] }, batched: false };
  }

  /**
   * The sequences in a padded batch; what stands behind a row's length is never looked at. Throws
   * InputError.
   *
   * @param {any} value
   * @param {any} lengths
   */
  padded(value, lengths) {
    const { items, tensor } = listed(value, this.width);
    if (items !== undefined) throw lengthsOfList("x");
    if (tensor.dims.length !== 3) {
      throw new InputError(
        `lengths go with a padded batch: expected x (batch, sequence_length, ${this.width}), ` +
          `got shape ${shapeText(tensor.dims)}`,
      );
    }
    this.#requireShape(tensor, "x");
    const ends = readLengths(lengths, tensor.dims[0], tensor.dims[1], this.shortest);
    return ends.map((end, i) => {
      const row = squeeze(slice(tensor, 0, i, i + 1), 0);
      const name = `x, row ${i}`;
      return this.checked(this.sequence(slice(row, 0, 0, end), name), name);
    });
  }

  /** One sequence as (sequence_length, input_size). @param {Tensor} tensor @param {string} name */
  sequence(tensor, name) {
    const { data, dims, type } = tensor;
    const found =
      dims.length === 1 && this.width === 1 ? { data, dims: [dims[0], 1], type } : tensor;
    if (found.dims.length !== 2) {
      const rank1 =
        dims.length === 1 ? `; rank 1 is for models of one feature, not ${this.width}` : "";
      throw new InputError(
        `${name}: expected (batch, sequence_length, ${this.width}) or ` +
          `(sequence_length, ${this.width}), got shape ${shapeText(dims)}${rank1}`,
      );
    }
    this.#requireShape(found, name);
    return found;
  }

  /**
   * As float32, its values checked.
   *
   * @param {Tensor} tensor
   * @param {string} name
   * @param {number} [last]
   */
  checked(tensor, name, last) {
    const axis = tensor.dims.length - 2;
    const length = tensor.dims[axis];
    const firstStep = last !== undefined && length > last ? length - last : 0;
    const kept = firstStep > 0 ? slice(tensor, axis, firstStep, length) : tensor;
    const place = { columns: this.columns, firstStep };
    const float32 = cast(kept, name, "float32", place);
    if (this.checks) requireFinite(float32, name, place);
    return float32;
  }

  /** @param {Tensor} tensor @param {string} name */
  #requireShape({ dims }, name) {
    const [length, width] = dims.slice(-2);
    const shape = shapeText(dims);
    if (width !== this.width) {
      throw new InputError(
        `${name}: expected ${this.width} values per step (${this.columns.join(", ")}), ` +
          `got ${width}: shape ${shape}`,
      );
    }
    if (dims.includes(0)) throw new InputError(`${name} is empty: shape ${shape}`);
    if (length < this.shortest) {
      throw new InputError(
        `${name} is too short: ${length} steps, and the model needs at least ${this.shortest}, ` +
          `because it works on differences over ${this.shortest - 1}`,
      );
    }
  }
}

/**
 * @param {any} value
 * @param {number} width
 * @returns {{items: Tensor[], tensor?: undefined} | {items?: undefined, tensor: Tensor}}
 */
function listed(value, width) {
  if (!Array.isArray(value)) return { tensor: asTensor(value, "x") };
  if (value.length === 0) {
    throw new InputError("x is an empty list; expected at least one sequence");
  }
  const read = () => value.map((item, i) => asTensor(item, `x[${i}]`));
  if (value.every((item) => isTensor(item) || ArrayBuffer.isView(item))) {
    // Arrays of rank 1 are sequences where one feature is expected, rows where there are more.
    const items = read();
    const rows = width > 1 && items.every(({ dims }) => dims.length === 1);
    return rows ? { tensor: asTensor(value, "x") } : { items };
  }
  try {
    return { tensor: asTensor(value, "x") };
  } catch {
    const items = read();
    if (items.every(({ dims }) => dims.length === 2)) return { items };
    throw new InputError(
      `x: expected rows of ${width} numbers, or a list of sequences (sequence_length, ${width}); ` +
        "got a list whose items differ in length",
    );
  }
}

/** @param {string} name */
export const lengthsOfList = (name) =>
  new InputError(
    `lengths go with a padded batch; ${name} is a list, whose items each have a length of their ` +
      "own: leave lengths out",
  );

/**
 * One integer for each row of a padded batch, `shortest` to `longest`. Throws InputError.
 *
 * @param {any} value
 * @param {number} batch
 * @param {number} longest
 * @param {number} shortest
 */
export function readLengths(value, batch, longest, shortest) {
  const { data, dims, type } = asTensor(value, "lengths");
  if (!/^u?int/.test(type)) throw new InputError(`lengths: expected integers, got ${type}`);
  if (dims.length !== 1 || dims[0] !== batch) {
    throw new InputError(
      `lengths: expected one for each of the ${batch} rows, (${batch},), got shape ${shapeText(dims)}`,
    );
  }
  return Array.from(data, Number).map((length, row) => {
    if (length >= shortest && length <= longest) return length;
    const why =
      length < shortest
        ? `the model needs at least ${shortest}`
        : `the batch is padded to ${longest} steps`;
    throw new InputError(
      `lengths: row ${row} is given ${length}, and ${why}: expected ${shortest} to ${longest}`,
    );
  });
}

/** Batches of sequences padded with zeros at their end, the longest first. @param {readonly Tensor[]} items */
export function padded(items) {
  const order = items.map((_, i) => i).sort((a, b) => items[b].dims[0] - items[a].dims[0]);
  const step = items[0].dims.slice(1);
  const groups = [];
  for (let start = 0; start < order.length; start += ROWS) {
    const places = order.slice(start, start + ROWS);
    const length = items[places[0]].dims[0];
    const x = zeros(items[0].type, [places.length, length, ...step]);
    const size = x.data.length / places.length;
    places.forEach((place, i) => x.data.set(items[place].data, i * size));
    groups.push({ places, x });
  }
  return groups;
}

/**
 * Sequences of one length together, each group with the places of its sequences.
 *
 * @param {readonly Tensor[]} items
 * @param {number} [steps] which axis of a sequence counts the steps
 * @param {number} [batch] which axis of a group counts its sequences
 * @returns {{places: number[], x: Tensor}[]}
 */
export function grouped(items, steps = 0, batch = 0) {
  /** @type {Map<number, number[]>} */
  const groups = new Map();
  items.forEach(({ dims }, i) => {
    const group = groups.get(dims[steps]) ?? [];
    groups.set(dims[steps], group);
    group.push(i);
  });
  return [...groups.values()].map((places) => ({
    places,
    x: stack(
      places.map((i) => items[i]),
      batch,
    ),
  }));
}
