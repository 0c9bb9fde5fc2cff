/** What is wrong with a bundle is said before anything runs. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import * as lx from "../../../lstm_export/javascript/lstm-export.mjs";
import { bundle, copied, ort, required } from "./setup.mjs";

const NAMES = ["classifier", "projected", "states", "sunspots", "tokens", "weather"];

/** Writes a manifest whose checksum fits. */
async function rewrite(folder, change) {
  const path = join(folder, "manifest.json");
  const body = JSON.parse(await readFile(path, "utf8"));
  change(body);
  const text = JSON.stringify({ ...body, checksum: "0".repeat(64) }, null, 2);
  const checksum = createHash("sha256").update(text).digest("hex");
  await writeFile(path, text.replace("0".repeat(64), checksum));
}

const entry = (bytes) => ({
  bytes: bytes.length,
  sha256: createHash("sha256").update(bytes).digest("hex"),
});

for (const name of NAMES) {
  test(`the golden values of ${name}`, async () => {
    await lx.load(bundle(name), { ort, checkGolden: true });
  });
}

test("golden values that are not met are named", async (t) => {
  const folder = await copied(t, "weather");
  const path = join(folder, "golden.npz");
  const golden = await readFile(path);
  // The exponent of the first number that goes in; every checksum is right.
  const array = golden.indexOf("\x93NUMPY", golden.indexOf("input/x.npy"), "latin1");
  golden[array + 10 + golden.readUInt16LE(array + 8) + 3] ^= 0x01;
  await writeFile(path, golden);
  await rewrite(folder, (body) => (body.files["golden.npz"] = entry(golden)));
  await lx.load(folder, { ort });
  await assert.rejects(lx.load(folder, { ort, checkGolden: true }), {
    name: "ParityError",
    message:
      /^1 golden outputs are beyond the parity rule: model\.onnx .*, output: error .*, allowed/,
  });
  await writeFile(path, "no archive");
  await rewrite(folder, (body) => (body.files["golden.npz"] = entry(Buffer.from("no archive"))));
  await assert.rejects(lx.load(folder, { ort, checkGolden: true }), /is not a readable npz file/);
});

test("a changed file", async (t) => {
  const folder = await copied(t, "sunspots");
  const path = join(folder, "model.onnx");
  const content = await readFile(path);
  content[1000] ^= 1;
  await writeFile(path, content);
  await assert.rejects(lx.load(folder, { ort }), {
    name: "ChecksumError",
    message: `${path} was changed after it was written: its sha256 does not match`,
  });
  await writeFile(path, content.subarray(1));
  await assert.rejects(lx.load(folder, { ort }), /expected \d+ bytes, found \d+/);
  await rm(path);
  await assert.rejects(lx.load(folder, { ort }), {
    name: "BundleError",
    message: `${path} is listed in the manifest but missing`,
  });
});

test("a changed manifest", async (t) => {
  const folder = await copied(t, "sunspots");
  const path = join(folder, "manifest.json");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace('"seed": 0', '"seed": 1'));
  await assert.rejects(lx.load(folder, { ort }), lx.ChecksumError);
  await writeFile(path, text.slice(0, 100));
  await assert.rejects(lx.load(folder, { ort }), /is not a manifest: not JSON/);
  await writeFile(path, text);
  await rewrite(folder, (body) => (body.format_version = 2));
  await assert.rejects(lx.load(folder, { ort }), lx.NewerFormatError);
  await rewrite(folder, (body) => (body.format_version = 0));
  await assert.rejects(lx.load(folder, { ort }), lx.ContractError);
  await rewrite(folder, (body) => {
    body.format_version = 1;
    body.files["../secret"] = { bytes: 1, sha256: "" };
  });
  await assert.rejects(lx.load(folder, { ort }), /names '..\/secret', which leaves the bundle/);
});

test("no bundle at all", async () => {
  await assert.rejects(lx.load("/nowhere/bundle", { ort }), {
    name: "BundleError",
    message: "there is no bundle at /nowhere/bundle",
  });
  await assert.rejects(
    lx.load(join(bundle("sunspots"), "model.onnx"), { ort }),
    /is a file; a bundle is a folder/,
  );
});

test("errors have both the base and their own class", async () => {
  const error = await lx.load("/nowhere", { ort }).catch((caught) => caught);
  assert.ok(error instanceof lx.LstmExportError && error instanceof Error);
  assert.equal(`${error}`.slice(0, 12), "BundleError:");
});

test("ONNX Runtime by module, by name, or not at all", async () => {
  const url = pathToFileURL(required.resolve("onnxruntime-node")).href;
  await lx.load(bundle("sunspots"), { ort: url });
  await lx.load(bundle("sunspots"), { ort: { default: ort } });
  await lx.load(bundle("sunspots"), { ort: required("onnxruntime-web"), checkGolden: true });
  await assert.rejects(
    lx.load(bundle("sunspots"), { ort: "no-such-package" }),
    lx.MissingExtraError,
  );
  await assert.rejects(lx.load(bundle("sunspots"), { ort: {} }), lx.OptionError);
  await assert.rejects(lx.load(bundle("sunspots"), { ort, golden: true }), {
    name: "OptionError",
    message: "load has no option 'golden'; it has ort, checkGolden, onNonfinite, sessionOptions",
  });
  await assert.rejects(lx.load(bundle("sunspots"), { ort, onNonfinite: "ignore" }), lx.OptionError);
});

test("a bundle over HTTP", async (t) => {
  const server = createServer(async (request, response) => {
    const name = request.url.split("/").at(-1);
    const content = await readFile(join(bundle("sunspots"), name)).catch(() => null);
    response.writeHead(content === null ? 404 : 200).end(content);
  });
  t.after(() => server.close());
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${server.address().port}/models/sunspots`;
  const model = await lx.load(url, { ort, checkGolden: true });
  const local = await lx.load(pathToFileURL(bundle("sunspots")), { ort });
  assert.deepEqual(await model.run([1, 2, 3]), await local.run([1, 2, 3]));
  server.closeAllConnections();
});
