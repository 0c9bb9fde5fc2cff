/**
 * The golden values of a bundle, replayed: the parity rule, per output,
 *
 *     error ≤ max(4 × torch float32's own error, 2e-6 × max|reference|)
 *
 * against the reference in float64 that was stored at export.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 * @typedef {{input: Record<string, Tensor>, torch: Record<string, Tensor>, oracle: Record<string, Tensor>}} Case
 */

import { BundleError, ParityError } from "./errors.mjs";
import { npzMembers } from "./npz.mjs";
import { shapeText } from "./tensors.mjs";

const GOLDEN = "golden.npz";
const TORCH_FACTOR = 4;
const RELATIVE_FLOOR = 2e-6;

/**
 * Runs every golden case. Throws ParityError naming each output beyond the rule, BundleError where
 * the file cannot be read or has no case for a graph.
 *
 * @param {import("./graphs.mjs").Graphs} graphs
 * @returns {Promise<{cases: number, worst: number}>} how many, and the largest error over its bound
 */
export async function checkGolden(graphs) {
  const { bundle } = graphs;
  const cases = await read(await bundle.read(GOLDEN), bundle.where(GOLDEN));
  const failures = [];
  let [count, worst] = [0, 0];
  for (const graph of Object.keys(bundle.manifest.graphs)) {
    const own = cases.get(graph);
    if (own === undefined)
      throw new BundleError(`${bundle.where(GOLDEN)} has no case for ${graph}`);
    for (const [name, { input, torch, oracle }] of own) {
      const outputs = await graphs.run(graph, input);
      count += 1;
      for (const output of Object.keys(outputs)) {
        const judged = judge(outputs[output], oracle[output], torch[output]);
        if (judged.ratio > 1) failures.push(`${graph} ${name}, ${output}: ${judged.text}`);
        worst = Math.max(worst, judged.ratio);
      }
    }
  }
  if (failures.length > 0) {
    throw new ParityError(
      `${failures.length} golden outputs are beyond the parity rule: ${failures.slice(0, 3).join("; ")}`,
    );
  }
  return { cases: count, worst };
}

/**
 * The error over its bound; infinite where nothing can be compared.
 *
 * @param {Tensor} got
 * @param {Tensor | undefined} reference
 * @param {Tensor | undefined} torch
 * @returns {{ratio: number, text: string}}
 */
function judge(got, reference, torch) {
  if (reference === undefined || torch === undefined) {
    return { ratio: Infinity, text: "no reference is stored" };
  }
  if (got.dims.join() !== reference.dims.join() || got.type !== torch.type) {
    const expected = `${torch.type} ${shapeText(reference.dims)}`;
    return {
      ratio: Infinity,
      text: `expected ${expected}, got ${got.type} ${shapeText(got.dims)}`,
    };
  }
  const exact = !/^float/.test(got.type);
  let [own, size, error] = [0, 0, 0];
  for (let i = 0; i < got.data.length; i++) {
    const [mine, truth, theirs] = [got.data[i], reference.data[i], torch.data[i]].map(Number);
    if (exact) {
      error = got.data[i] === torch.data[i] ? error : Infinity;
    } else if (!Number.isFinite(theirs) || !Number.isFinite(truth)) {
      error = Object.is(mine, theirs) ? error : Infinity;
    } else {
      own = Math.max(own, Math.abs(theirs - truth));
      size = Math.max(size, Math.abs(truth));
      error = Number.isFinite(mine) ? Math.max(error, Math.abs(mine - truth)) : Infinity;
    }
  }
  const bound = Math.max(TORCH_FACTOR * own, RELATIVE_FLOOR * size);
  const ratio = error === 0 ? 0 : error / bound;
  return { ratio, text: `error ${error.toPrecision(3)}, allowed ${bound.toPrecision(3)}` };
}

/**
 * @param {Uint8Array} content
 * @param {string} where
 * @returns {Promise<Map<string, Map<string, Case>>>}
 */
async function read(content, where) {
  /** @type {Map<string, Map<string, Case>>} */
  const graphs = new Map();
  for (const [entry, tensor] of await npzMembers(content, where)) {
    const [graph, name, role, output, ...more] = entry.split("/");
    if (more.length > 0 || !["input", "torch", "oracle"].includes(role)) {
      throw new BundleError(`${where}: unexpected entry '${entry}'`);
    }
    const cases = graphs.get(graph) ?? new Map();
    graphs.set(graph, cases);
    const one = cases.get(name) ?? { input: {}, torch: {}, oracle: {} };
    cases.set(name, one);
    one[role][output] = tensor;
  }
  return graphs;
}
