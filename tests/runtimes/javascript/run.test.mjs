/** One call: whatever way an array is written, and whoever stands beside it in the batch. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../../../lstm_export/javascript/lstm-export.mjs";
import { bundle, distance, ort, row, rows } from "./setup.mjs";

const sunspots = await load(bundle("sunspots"), { ort });
const weather = await load(bundle("weather"), { ort });

test("one array in many ways", async () => {
  const history = rows(9, 3);
  const expected = await weather.run(history);
  assert.deepEqual(expected.dims, [1, 2]);
  assert.ok(expected.data instanceof Float32Array);
  const flat = Float32Array.from(history.flat());
  const ways = [
    { data: flat, dims: [9, 3] },
    new ort.Tensor("float32", flat, [9, 3]),
    { data: Float64Array.from(history.flat()), dims: [9, 3] },
    history.map((values) => Float64Array.from(values)),
    { x: history },
  ];
  for (const way of ways) assert.deepEqual(await weather.run(way), expected);
  assert.deepEqual((await weather.run([history])).dims, [1, 1, 2]);
});

test("rank 1 is a sequence of one feature", async () => {
  const history = rows(12, 1).flat();
  const one = await sunspots.run(history);
  assert.deepEqual(one.dims, [1, 1]);
  assert.deepEqual(await sunspots.run(history.map((value) => [value])), one);
  assert.deepEqual(await sunspots.run(Float64Array.from(history)), one);
});

test("a batch gives each row what it gets alone", async () => {
  const batch = [1, 2, 3].map((seed) => rows(9, 3, seed));
  const together = await weather.run(batch);
  for (const [i, history] of batch.entries()) {
    assert.ok(distance(row(together, i), await weather.run(history)) < 1e-4);
  }
});

test("lists of sequences, and padded batches with lengths", async () => {
  const items = [5, 12, 3, 12].map((length, i) => rows(length, 3, i));
  const together = await weather.run(
    items.map((item) => ({ data: item.flat(), dims: [item.length, 3] })),
  );
  assert.deepEqual(await weather.run(items), together);
  const padded = items.map((item) => [...item, ...Array(12 - item.length).fill([NaN, NaN, NaN])]);
  assert.deepEqual(await weather.run(padded, { lengths: [5, 12, 3, 12] }), together);
  for (const [i, item] of items.entries()) {
    assert.ok(distance(row(together, i), await weather.run(item)) < 1e-4);
  }
});

test("a module takes its inputs by name and gives its outputs so", async () => {
  const states = await load(bundle("states"), { ort });
  const x = [rows(4, 3), rows(4, 3, 2)];
  const initial_h = { data: new Float32Array(24), dims: [2, 2, 6] };
  const { y, final_h } = await states.run({ x, initial_h });
  assert.deepEqual(
    [y.dims, final_h.dims],
    [
      [2, 4, 1],
      [2, 2, 6],
    ],
  );
  const moved = await states.run({ x, initial_h: final_h });
  assert.ok(distance(moved.y, y) > 1e-3);
});

test("a module takes sequences of different lengths", async () => {
  const classifier = await load(bundle("classifier"), { ort });
  const items = [7, 2, 7, 1].map((length, i) =>
    rows(length, 3, i).map((r) => r.map((v) => v / 50 - 1)),
  );
  const classes = await classifier.run(items);
  assert.deepEqual(classes.dims, [4, 4]);
  for (const [i, item] of items.entries()) {
    const alone = await classifier.run({ x: [item], lengths: [item.length] });
    assert.ok(distance(row(classes, i), row(alone, 0)) < 1e-5);
  }
  const tokens = await load(bundle("tokens"), { ort });
  const steps = await tokens.run([[1, 2, 3], [4], [5, 6]]);
  assert.deepEqual(
    steps.map(({ dims }) => dims[0]),
    [3, 1, 2],
  );
  assert.deepEqual(await tokens.run([[1n, 2n, 3n], [4n], [5n, 6n]]), steps);
});

test("what is not finite may pass", async () => {
  const lenient = await load(bundle("sunspots"), { ort, onNonfinite: "pass" });
  assert.ok((await lenient.run([1, 2, NaN])).data instanceof Float32Array);
});

test("memory is given back", async () => {
  const model = await load(bundle("sunspots"), { ort });
  await model.run([1, 2, 3]);
  await model.release();
  assert.ok((await model.run([1, 2, 3])).data instanceof Float32Array);
});
