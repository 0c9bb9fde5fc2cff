/** The module in a real headless Chromium, from a page on 127.0.0.1, with onnxruntime-web. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FLAGS } from "../../../lstm_export/javascript/workers/flags.mjs";
import { load } from "../../../lstm_export/javascript/lstm-export.mjs";
import { MODULES, ROOT, bundle, ort, required, rows } from "./setup.mjs";

const PAGE = `<!doctype html><title>lstm-export</title>
<script type="importmap">{"imports": {"onnxruntime-web": "/ort/ort.wasm.min.mjs"}}</script>`;
const FOLDERS = {
  javascript: join(ROOT, "lstm_export", "javascript"),
  ort: join(MODULES, "onnxruntime-web", "dist"),
  artifacts: join(ROOT, "artifacts"),
};
const KINDS = { mjs: "text/javascript", wasm: "application/wasm", html: "text/html" };

const server = createServer(async (request, response) => {
  const [, folder, ...path] = request.url.split("/");
  const file = FOLDERS[folder] && join(FOLDERS[folder], ...path);
  const content = request.url === "/" ? PAGE : await readFile(file ?? "").catch(() => null);
  const kind = KINDS[request.url === "/" ? "html" : request.url.split(".").at(-1)] ?? "text/plain";
  response.writeHead(content === null ? 404 : 200, { "content-type": kind }).end(content);
});
let browser;
let page;

before(async () => {
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { chromium } = required("playwright-core");
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    headless: true,
    args: FLAGS,
  });
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
});

after(async () => {
  await browser?.close();
  server.close();
});

test("golden values, runs, forecasts and streams as in Node", async () => {
  const history = rows(14, 1).flat();
  const found = await page.evaluate(async (history) => {
    const { load } = await import("/javascript/lstm-export.mjs");
    const model = await load("artifacts/sunspots/bundle", { checkGolden: true });
    const stream = model.stream();
    const results = [
      await model.run(history),
      await model.forecast(history, 4),
      await stream.run(history),
    ];
    return results.map(({ data, dims }) => ({ data: [...data], dims }));
  }, history);
  const model = await load(bundle("sunspots"), { ort });
  const expected = [
    await model.run(history),
    await model.forecast(history, 4),
    await model.stream().run(history),
  ];
  for (const [i, { data, dims }] of expected.entries()) {
    assert.deepEqual(found[i].dims, dims);
    data.forEach((value, at) => {
      assert.ok(Number.isNaN(value) === Number.isNaN(found[i].data[at]));
      assert.ok(Number.isNaN(value) || Math.abs(value - found[i].data[at]) < 1e-3);
    });
  }
});

test("errors as in Node", async () => {
  const said = await page.evaluate(async () => {
    const lx = await import("/javascript/lstm-export.mjs");
    const caught = async (work) => {
      try {
        await work();
        return "nothing";
      } catch (error) {
        return `${error.name}: ${error.message}`;
      }
    };
    const model = await lx.load("/artifacts/sunspots/bundle/");
    return [
      await caught(() => model.run([1, NaN, 3])),
      await caught(() => lx.load("/artifacts/nothing")),
      await caught(() => lx.load("/artifacts/sunspots/bundle/", { ort: "no-such-package" })),
    ];
  });
  assert.match(said[0], /^InputError: x: NaN at step 1, feature 'sunspots': fill the gap first/);
  assert.match(
    said[1],
    /^BundleError: \/artifacts\/nothing is not a bundle: it has no manifest.json/,
  );
  assert.match(said[2], /^MissingExtraError: running a bundle needs no-such-package/);
});
