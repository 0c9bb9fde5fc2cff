/** onnxruntime-web, WebAssembly in Node: `node onnxruntime_web.mjs NODE_MODULES MODEL [DATA…]`. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { serve } from "./frames.mjs";
import { runner } from "./session.mjs";

const [modules, model, ...weights] = process.argv.slice(2);
await serve(async () => {
  const ort = createRequire(join(modules, "package.json"))("onnxruntime-web");
  ort.env.wasm.numThreads = 1;
  const externalData = await Promise.all(
    weights.map(async (path) => ({ path: basename(path), data: await readFile(path) })),
  );
  const session = await ort.InferenceSession.create(await readFile(model), {
    executionProviders: ["wasm"],
    externalData,
    logSeverityLevel: 4,
  });
  return runner(ort, session);
});
