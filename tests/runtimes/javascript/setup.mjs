/** ONNX Runtime and the golden bundles, for the tests. */

import { cp, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
export const MODULES =
  process.env.LSTM_EXPORT_NODE_MODULES ?? join(ROOT, "tests", "runtimes", "node_modules");
export const required = createRequire(join(MODULES, "package.json"));
export const ort = required("onnxruntime-node");

export const bundle = (name) => join(ROOT, "artifacts", name, "bundle");

/** A copy of a bundle to be damaged; it is gone when the test is over. */
export async function copied(test, name) {
  const folder = await mkdtemp(join(tmpdir(), "lstm-export-"));
  test.after(() => rm(folder, { recursive: true }));
  await cp(bundle(name), folder, { recursive: true });
  return folder;
}

/** Rows that look like data, the same on every machine: (length, width). */
export const rows = (length, width, seed = 1) =>
  Array.from({ length }, (_, t) =>
    Array.from({ length: width }, (_, i) => 60 + 40 * Math.sin(seed + 0.7 * t + 1.3 * i)),
  );

/** The largest distance of two tensors of one shape. */
export function distance(a, b) {
  if (a.dims.join() !== b.dims.join()) throw new Error(`shapes ${a.dims} and ${b.dims}`);
  return a.data.reduce((most, value, i) => {
    if (Number.isNaN(value) && Number.isNaN(b.data[i])) return most;
    return Math.max(most, Math.abs(value - b.data[i]));
  }, 0);
}

/** Row `i` of a tensor. */
export function row({ data, dims }, i) {
  const size = data.length / dims[0];
  return { data: data.slice(i * size, (i + 1) * size), dims: dims.slice(1) };
}
