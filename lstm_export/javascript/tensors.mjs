/**
 * Tensors in row-major order, and what callers write in their place: nested arrays, typed arrays,
 * `{data, dims}`, single numbers.
 *
 * @typedef {{data: any, dims: readonly number[], type: string}} Tensor
 */

import { InputError } from "./errors.mjs";

/** The typed array that holds each type; booleans are bytes. */
export const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  // Not every engine has one yet; ONNX Runtime takes the bits where it is missing.
  float16: /** @type {any} */ (globalThis).Float16Array ?? Uint16Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

const TYPES = new Map([
  ...Object.entries(ARRAYS)
    .reverse()
    .filter(([type]) => type !== "bool" && type !== "float16")
    .map(([type, array]) => /** @type {[any, string]} */ ([array, type])),
  [Uint8ClampedArray, "uint8"],
]);

/** @param {readonly number[]} dims */
export const sizeOf = (dims) => dims.reduce((product, size) => product * size, 1);

/** A shape as Python writes it. @param {readonly (number | string)[]} dims */
export const shapeText = (dims) => `(${dims.join(", ")}${dims.length === 1 ? "," : ""})`;

/** @param {any} value */
export const isTensor = (value) =>
  typeof value === "object" && value !== null && "data" in value && "dims" in value;

/** Whether a value names its inputs, rather than being one. @param {any} value */
export const isMapping = (value) =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !ArrayBuffer.isView(value) &&
  !isTensor(value);

/**
 * `value` as a tensor, not copied where it is one. Numbers in plain arrays are int64 where all are
 * whole, else float64. Throws InputError.
 *
 * @param {any} value
 * @param {string} name
 * @returns {Tensor}
 */
export function asTensor(value, name) {
  if (ArrayBuffer.isView(value)) {
    const type = TYPES.get(/** @type {any} */ (value.constructor));
    if (type === undefined) throw notNumbers(name, `it is a ${value.constructor.name}`);
    return { data: value, dims: [/** @type {any} */ (value).length], type };
  }
  if (isTensor(value)) {
    const flat = asTensor(value.data, name);
    const dims = Array.from(value.dims, Number);
    if (flat.dims.length !== 1 || flat.dims[0] !== sizeOf(dims)) {
      throw new InputError(
        `${name}: its dims ${shapeText(dims)} do not fit its ${sizeOf(flat.dims)} values`,
      );
    }
    return { data: flat.data, dims, type: value.type ?? flat.type };
  }
  if (Array.isArray(value)) return joined(value, name);
  return { data: [value], dims: [], type: typeOfAll([value], name) };
}

/** @param {any[]} items @param {string} name @returns {Tensor} */
function joined(items, name) {
  if (!items.some((item) => typeof item === "object" && item !== null)) {
    return { data: items, dims: [items.length], type: typeOfAll(items, name) };
  }
  const parts = items.map((item) => asTensor(item, name));
  const dims = parts[0].dims;
  if (parts.some((part) => part.dims.join() !== dims.join())) {
    throw notNumbers(name, "its rows differ in length");
  }
  const types = new Set(parts.map((part) => part.type));
  const type = types.size === 1 ? parts[0].type : "float64";
  if (types.size > 1 && types.has("bool")) throw notNumbers(name, "some are booleans");
  const data = parts.flatMap((part) => Array.from(part.data));
  return { data, dims: [parts.length, ...dims], type };
}

/** @param {any[]} values @param {string} name */
function typeOfAll(values, name) {
  let type = "";
  for (const value of values) {
    const kind = typeof value;
    if (kind !== "number" && kind !== "bigint" && kind !== "boolean") {
      throw notNumbers(name, `got ${value === null ? "null" : kind}`);
    }
    const own =
      kind === "boolean"
        ? "bool"
        : kind === "bigint" || Number.isInteger(value)
          ? "int64"
          : "float64";
    if (type !== "" && type !== own && (type === "bool" || own === "bool")) {
      throw notNumbers(name, "some are booleans");
    }
    type = type === "float64" ? type : own;
  }
  return type || "float64";
}

/** @param {string} name @param {string} reason */
const notNumbers = (name, reason) =>
  new InputError(`${name}: expected an array of numbers: ${reason}`);

const INTEGERS = /^u?int/;

/**
 * `tensor` as `wanted`, where that changes no number: float32 takes float64 and integers, as in
 * Python. Throws InputError.
 *
 * @param {Tensor} tensor
 * @param {string} name
 * @param {string} wanted
 * @param {Place} [place]
 * @returns {Tensor}
 */
export function cast(tensor, name, wanted, place) {
  const { data, dims, type } = tensor;
  const Typed = /** @type {any} */ (ARRAYS)[wanted];
  if (type === wanted && data instanceof Typed) return tensor;
  const whole = INTEGERS.test(type);
  if (INTEGERS.test(wanted) && whole) {
    return { data: fitted(data, name, wanted, Typed), dims, type: wanted };
  }
  const widens = wanted === "float64" && type === "float32";
  const floats = wanted === "float32" && (type === "float32" || type === "float64");
  if (!(widens || floats || type === wanted || (whole && /^float(32|64)$/.test(wanted)))) {
    throw new InputError(
      wanted === "float32"
        ? `${name}: expected float32, float64 or integer numbers, got ${type}`
        : `${name}: expected ${wanted}, got ${type}`,
    );
  }
  const cast = Typed.from(data, Number);
  if (wanted === "float32") {
    const large = cast.findIndex(
      (/** @type {number} */ value, /** @type {number} */ i) =>
        !Number.isFinite(value) && Number.isFinite(Number(data[i])),
    );
    if (large >= 0) {
      throw new InputError(
        `${name}: ${data[large]} at ${placeText(dims, large, place)} is too large for float32`,
      );
    }
  }
  return { data: cast, dims, type: wanted };
}

/** @param {any} data @param {string} name @param {string} wanted @param {any} Typed */
function fitted(data, name, wanted, Typed) {
  const values = Array.from(data, BigInt);
  const bits = BigInt(wanted.replace(/\D/g, ""));
  const [low, high] = wanted.startsWith("u")
    ? [0n, (1n << bits) - 1n]
    : [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n];
  let [smallest, largest] = [values[0], values[0]];
  for (const value of values) {
    if (value < smallest) smallest = value;
    if (value > largest) largest = value;
  }
  if (smallest < low || largest > high) {
    throw new InputError(`${name}: ${smallest} to ${largest} does not fit into ${wanted}`);
  }
  return bits === 64n ? Typed.from(values) : Typed.from(values, Number);
}

/**
 * How to name a place in (…, steps, features): `firstStep` is what the steps count from.
 *
 * @typedef {{columns: readonly string[], firstStep?: number}} Place
 */

/**
 * Throws InputError naming the first NaN or infinity of a float tensor and their number.
 *
 * @param {Tensor} tensor
 * @param {string} name
 * @param {Place} [place]
 */
export function requireFinite({ data, dims, type }, name, place) {
  if (type !== "float32" && type !== "float64") return;
  const first = data.findIndex((/** @type {number} */ value) => !Number.isFinite(value));
  if (first < 0) return;
  const count = data.reduce(
    (/** @type {number} */ n, /** @type {number} */ value) => n + Number(!Number.isFinite(value)),
    0,
  );
  const others = count > 1 ? ` (${count} of ${data.length} values are not finite)` : "";
  throw new InputError(
    `${name}: ${data[first]} at ${placeText(dims, first, place)}${others}: ` +
      'fill the gap first, or load the model with onNonfinite: "pass"',
  );
}

/** The place `flat` in words. @param {readonly number[]} dims @param {number} flat @param {Place} [place] */
export function placeText(dims, flat, place) {
  const index = [];
  for (const size of [...dims].reverse()) {
    index.unshift(flat % size);
    flat = Math.floor(flat / size);
  }
  if (place === undefined) return `[${index.join(", ")}]`;
  const [step, feature] = index.slice(-2);
  return [
    ...index.slice(0, -2).map((row) => `row ${row}`),
    `step ${(place.firstStep ?? 0) + step}`,
    `feature '${place.columns[feature]}'`,
  ].join(", ");
}
