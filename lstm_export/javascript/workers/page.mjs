/** What runs inside the browser: onnxruntime-web on WebAssembly, one thread. */

import { ARRAYS } from "../tensors.mjs";
import { runner } from "./session.mjs";

/** @param {string} path */
const fetched = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());

/**
 * Loads /model.onnx and the files of weights beside it.
 *
 * @param {string[]} weights
 */
export const load = (weights) => told(async () => void (run = await opened(weights)));

/**
 * Runs what was loaded, on tensors whose bytes are base64.
 *
 * @param {any[]} inputs
 */
export const answer = (inputs) =>
  told(async () => {
    const outputs = await run(
      inputs.map(({ bytes, ...rest }) => ({ ...rest, data: decoded(bytes, rest.type) })),
    );
    return outputs.map(({ data, ...rest }) => ({ ...rest, bytes: encoded(data) }));
  });

/** @type {ReturnType<typeof runner>} */
let run;

/** What came, or what was said instead: thrown, the driver would add its own words. @param {() => Promise<any>} work */
async function told(work) {
  try {
    return { came: await work() };
  } catch (error) {
    return { said: error instanceof Error ? error.message : String(error) };
  }
}

/** @param {string[]} weights */
async function opened(weights) {
  const ort = await import(/** @type {any} */ ("/ort.mjs"));
  ort.env.wasm.numThreads = 1;
  const externalData = await Promise.all(
    weights.map(async (path) => ({ path, data: await fetched(`/data/${path}`) })),
  );
  const session = await ort.InferenceSession.create(await fetched("/model.onnx"), {
    executionProviders: ["wasm"],
    externalData,
    logSeverityLevel: 4,
  });
  return runner(ort, session);
}

/** @param {string} text @param {string} type */
function decoded(text, type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new /** @type {any} */ (ARRAYS)[type](bytes.buffer);
}

/** @param {ArrayBufferView} data */
function encoded(data) {
  let text = "";
  for (const byte of new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) {
    text += String.fromCharCode(byte);
  }
  return btoa(text);
}
