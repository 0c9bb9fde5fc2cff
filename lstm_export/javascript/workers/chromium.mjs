/**
 * onnxruntime-web in a real headless Chromium, driven by playwright-core:
 * `node chromium.mjs NODE_MODULES MODEL CHROMIUM [DATA…]`.
 *
 * The page and all that it loads come from 127.0.0.1, by names that are listed here.
 */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { FLAGS } from "./flags.mjs";
import { serve } from "./frames.mjs";

const [modules, model, executablePath, ...weights] = process.argv.slice(2);
const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const dist = (/** @type {string} */ name) => join(modules, "onnxruntime-web", "dist", name);
const OURS = ["workers/page.mjs", "workers/session.mjs", "tensors.mjs", "errors.mjs"];
const BINARIES = ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];
/** @type {Record<string, string>} */
const FILES = {
  ...Object.fromEntries(OURS.map((name) => [`/${name}`, here(`../${name}`)])),
  "/ort.mjs": dist("ort.wasm.min.mjs"),
  ...Object.fromEntries(BINARIES.map((name) => [`/${name}`, dist(name)])),
  "/model.onnx": model,
  ...Object.fromEntries(weights.map((path) => [`/data/${basename(path)}`, path])),
};
/** @type {Record<string, string>} */
const KINDS = { mjs: "text/javascript", wasm: "application/wasm" };

const server = createServer(async (request, response) => {
  const path = decodeURIComponent(request.url ?? "/");
  if (path === "/") {
    response.setHeader("content-type", "text/html").end("<!doctype html><title>runtime</title>");
  } else if (path in FILES) {
    const kind = KINDS[path.split(".").at(-1) ?? ""] ?? "application/octet-stream";
    response.setHeader("content-type", kind).end(await readFile(FILES[path]));
  } else {
    response.writeHead(404).end();
  }
});
await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

/** @type {any} */
let browser;
await serve(async () => {
  const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");
  browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
  const page = await browser.newPage();
  const died = () => {
    console.error("the page crashed");
    process.exit(1);
  };
  page.on("crash", died);
  browser.on("disconnected", () => browser && died());
  await page.goto(`http://127.0.0.1:${port}/`);
  /** @param {"load" | "answer"} name @param {any} given */
  const call = async (name, given) => {
    const { came, said } = await page.evaluate(
      async (/** @type {any} */ { source, name, given }) => (await import(source))[name](given),
      { source: "/workers/page.mjs", name, given },
    );
    if (said !== undefined) throw new Error(said);
    return came;
  };
  await call(
    "load",
    weights.map((path) => basename(path)),
  );
  return async (inputs) => {
    const sent = inputs.map(({ data, ...rest }) => ({ ...rest, bytes: encoded(data) }));
    const answers = await call("answer", sent);
    return answers.map((/** @type {any} */ { bytes, ...rest }) => ({
      ...rest,
      data: Buffer.from(bytes, "base64"),
    }));
  };
}).finally(async () => {
  const closing = browser;
  browser = undefined;
  await closing?.close();
  server.close();
});

/** Playwright carries text. @param {ArrayBufferView} data */
function encoded(data) {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
}
