/**
 * Cutting and joining tensors along an axis. Everything is copied: nobody's input is changed.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 */

import { ARRAYS, sizeOf } from "./tensors.mjs";

/** An empty array of the kind that `data` is. @param {any} data @param {number} length */
const like = (data, length) =>
  Array.isArray(data) ? new Array(length) : new data.constructor(length);

/**
 * The places `indices` of one axis.
 *
 * @param {Tensor} tensor
 * @param {number} axis
 * @param {readonly number[]} indices
 * @returns {Tensor}
 */
export function take({ data, dims, type }, axis, indices) {
  const inner = sizeOf(dims.slice(axis + 1));
  const outer = sizeOf(dims.slice(0, axis));
  const taken = like(data, outer * indices.length * inner);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (const index of indices) {
      const from = (o * dims[axis] + index) * inner;
      for (let i = 0; i < inner; i++) taken[to++] = data[from + i];
    }
  }
  return {
    data: taken,
    dims: [...dims.slice(0, axis), indices.length, ...dims.slice(axis + 1)],
    type,
  };
}

/**
 * The places from `start` up to `stop` of one axis.
 *
 * @param {Tensor} tensor
 * @param {number} axis
 * @param {number} start
 * @param {number} stop
 */
export const slice = (tensor, axis, start, stop) =>
  take(
    tensor,
    axis,
    Array.from({ length: stop - start }, (_, i) => start + i),
  );

/**
 * Tensors of one type one behind the other along an axis.
 *
 * @param {readonly Tensor[]} tensors
 * @param {number} axis
 * @returns {Tensor}
 */
export function concat(tensors, axis) {
  const { data: first, dims, type } = tensors[0];
  const total = tensors.reduce((sum, tensor) => sum + tensor.dims[axis], 0);
  const outer = sizeOf(dims.slice(0, axis));
  const inner = sizeOf(dims.slice(axis + 1));
  const data = like(first, outer * total * inner);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (const tensor of tensors) {
      const width = tensor.dims[axis] * inner;
      for (let i = 0; i < width; i++) data[to++] = tensor.data[o * width + i];
    }
  }
  return { data, dims: [...dims.slice(0, axis), total, ...dims.slice(axis + 1)], type };
}

/**
 * The same values with one more axis of size 1.
 *
 * @param {Tensor} tensor
 * @param {number} axis
 * @returns {Tensor}
 */
export const expand = ({ data, dims, type }, axis) => ({
  data,
  dims: [...dims.slice(0, axis), 1, ...dims.slice(axis)],
  type,
});

/**
 * The same values without an axis of size 1.
 *
 * @param {Tensor} tensor
 * @param {number} axis
 * @returns {Tensor}
 */
export const squeeze = ({ data, dims, type }, axis) => ({
  data,
  dims: dims.filter((_, place) => place !== axis),
  type,
});

/** Tensors of one shape on a new axis. @param {readonly Tensor[]} tensors @param {number} axis */
export const stack = (tensors, axis) =>
  concat(
    tensors.map((tensor) => expand(tensor, axis)),
    axis,
  );

/** @param {string} type @param {readonly number[]} dims @returns {Tensor} */
export const zeros = (type, dims) => ({
  data: new /** @type {any} */ (ARRAYS)[type](sizeOf(dims)),
  dims,
  type,
});
