/**
 * Arrays out of NumPy's files: .npz is a zip of .npy, stored or deflated.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 */

import { BundleError } from "./errors.mjs";
import { ARRAYS, sizeOf } from "./tensors.mjs";

/** NumPy's short names, without the byte order. @type {Record<string, string>} */
const TYPES = {
  f4: "float32",
  f8: "float64",
  f2: "float16",
  i8: "int64",
  u8: "uint64",
  i4: "int32",
  u4: "uint32",
  i2: "int16",
  u2: "uint16",
  i1: "int8",
  u1: "uint8",
  b1: "bool",
};
const [STORED, DEFLATED] = [0, 8];
const [END, ENTRY, LOCAL] = [0x06054b50, 0x02014b50, 0x04034b50];

/**
 * Every array by its name, in the file's order. Throws BundleError naming `where`.
 *
 * @param {Uint8Array} content
 * @param {string} where
 * @returns {Promise<Map<string, Tensor>>}
 */
export async function npzMembers(content, where) {
  try {
    const members = new Map();
    for (const [name, bytes] of await unzipped(content)) {
      members.set(name.replace(/\.npy$/, ""), npy(bytes));
    }
    return members;
  } catch (error) {
    if (error instanceof BundleError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new BundleError(`${where} is not a readable npz file: ${reason}`);
  }
}

/** @param {Uint8Array} content @returns {Promise<[string, Uint8Array][]>} */
async function unzipped(content) {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  let end = content.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) throw new Error("it has no directory");
  let at = view.getUint32(end + 16, true);
  /** @type {[string, Uint8Array][]} */
  const members = [];
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (view.getUint32(at, true) !== ENTRY) throw new Error("its directory is damaged");
    const [method, size] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)];
    const [name, extra, comment] = [28, 30, 32].map((place) => view.getUint16(at + place, true));
    const local = view.getUint32(at + 42, true);
    const text = new TextDecoder().decode(content.subarray(at + 46, at + 46 + name));
    if (view.getUint32(local, true) !== LOCAL) throw new Error(`${text} is not where it should be`);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const body = content.subarray(start, start + size);
    if (method !== STORED && method !== DEFLATED) throw new Error(`${text}: compression ${method}`);
    members.push([text, method === STORED ? body : await inflated(body)]);
    at += 46 + name + extra + comment;
  }
  return members;
}

/** @param {Uint8Array} body */
async function inflated(body) {
  const stream = new Blob([/** @type {BlobPart} */ (body)]).stream();
  const plain = stream.pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

/** @param {Uint8Array} bytes @returns {Tensor} */
function npy(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = bytes[6] > 1;
  const start = (long ? 12 : 10) + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder("latin1").decode(bytes.subarray(0, start));
  const found =
    /'descr': '([<|])(\w\d)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\)/.exec(header);
  const type = TYPES[found?.[2] ?? ""];
  if (found === null || type === undefined)
    throw new Error(`expected numbers, got ${header.slice(10).trim()}`);
  const dims = found[4]
    .split(",")
    .filter((size) => size.trim())
    .map(Number);
  const Typed = /** @type {any} */ (ARRAYS)[type];
  // A copy: a member need not begin where numbers may. (Node's own slice would share the bytes.)
  const body = new Uint8Array(
    bytes.subarray(start, start + sizeOf(dims) * Typed.BYTES_PER_ELEMENT),
  );
  const data = new Typed(body.buffer);
  if (data.length !== sizeOf(dims))
    throw new Error(`${sizeOf(dims)} values expected, ${data.length} found`);
  return { data: found[3] === "True" ? rowMajor(data, dims) : data, dims, type };
}

/** Values that lie column by column, row by row. @param {any} data @param {number[]} dims */
function rowMajor(data, dims) {
  const turned = new data.constructor(data.length);
  const strides = dims.map((_, axis) => sizeOf(dims.slice(0, axis)));
  const index = dims.map(() => 0);
  for (let to = 0; to < data.length; to++) {
    turned[to] = data[index.reduce((sum, place, axis) => sum + place * strides[axis], 0)];
    for (let axis = dims.length - 1; axis >= 0 && ++index[axis] === dims[axis]; axis--)
      index[axis] = 0;
  }
  return turned;
}
