/** onnxruntime-node: `node onnxruntime_node.mjs NODE_MODULES MODEL`. */

import { createRequire } from "node:module";
import { join } from "node:path";
import { serve } from "./frames.mjs";
import { runner } from "./session.mjs";

const [modules, model] = process.argv.slice(2);
await serve(async () => {
  const ort = createRequire(join(modules, "package.json"))("onnxruntime-node");
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 4 });
  return runner(ort, session);
});
