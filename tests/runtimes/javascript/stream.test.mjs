/** Streams: any chunking gives the same, and refused calls change nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { InputError, OptionError, load } from "../../../lstm_export/javascript/lstm-export.mjs";
import { bundle, distance, ort, rows } from "./setup.mjs";

const weather = await load(bundle("weather"), { ort });

test("chunks, single steps and the whole are one", async () => {
  const series = rows(11, 3);
  const whole = await weather.stream().run(series);
  assert.deepEqual(whole.dims, [11, 1, 2]);
  const chunked = weather.stream();
  const pieces = [await chunked.run(series.slice(0, 1)), await chunked.run(series.slice(1, 7))];
  for (const values of series.slice(7)) pieces.push(await chunked.step(values));
  const joined = { data: pieces.flatMap(({ data }) => [...data]), dims: whole.dims };
  assert.ok(distance(whole, joined) < 1e-4);
  // Differences over one row: nothing is known after the first, and it is said.
  assert.deepEqual([...whole.data.slice(0, 2)], [NaN, NaN]);
  const last = { data: whole.data.slice(-2), dims: [1, 2] };
  assert.ok(distance(last, await weather.run(series)) < 1e-3);
});

test("calls that nobody waits for run in their order", async () => {
  const series = rows(6, 3);
  const stream = weather.stream();
  const row = new Float32Array(3);
  const pending = series.map((values) => {
    row.set(values);
    return stream.step(row);
  });
  const steps = await Promise.all(pending);
  const whole = await weather.stream().run(series);
  assert.ok(
    distance(whole, { data: steps.flatMap(({ data }) => [...data]), dims: [6, 1, 2] }) < 1e-4,
  );
});

test("some series begin anew, the others go on", async () => {
  const [a, b] = [rows(5, 3), rows(5, 3, 4)];
  const stream = weather.stream(2);
  await stream.run([a, b]);
  await stream.reset([1]);
  const after = await stream.run([a, b]);
  const going = weather.stream();
  await going.run(a);
  const expected = [await going.run(a), await weather.stream().run(b)];
  const parts = [0, 1].map((i) => ({
    data: after.data.slice(i * 10, i * 10 + 10),
    dims: [5, 1, 2],
  }));
  parts.forEach((part, i) => assert.ok(distance(part, expected[i]) < 1e-4));
  await stream.reset([true, false]);
  await stream.reset();
  assert.deepEqual(await stream.run([a, b]), await weather.stream(2).run([a, b]));
  await assert.rejects(stream.reset(2), InputError);
});

test("a refused call leaves the state as it was", async () => {
  const series = rows(5, 3);
  const [one, other] = [weather.stream(), weather.stream()];
  await Promise.all([one.run(series), other.run(series)]);
  await assert.rejects(
    one.step([1, 2]),
    /x_t: expected one row of each series, \(3,\) or \(1, 3\), got shape \(2,\)/,
  );
  await assert.rejects(one.step([1, NaN, 3]), /x_t: NaN at row 0, step 0, feature/);
  await assert.rejects(one.run([]), InputError);
  assert.deepEqual(await one.step(series[0]), await other.step(series[0]));
});

test("modules stream", async () => {
  for (const [name, input] of [
    [
      "tokens",
      [
        [1, 2, 3, 4, 5],
        [5, 4, 3, 2, 1],
      ],
    ],
    ["states", [rows(5, 3), rows(5, 3, 2)].map((one) => one.map((r) => r.map((v) => v / 50 - 1)))],
    [
      "projected",
      [rows(5, 3), rows(5, 3, 2)].map((one) => one.map((r) => r.map((v) => v / 50 - 1))),
    ],
  ]) {
    const model = await load(bundle(name), { ort });
    const [whole, steps] = [model.stream(2), model.stream(2)];
    const all = await whole.run(input);
    for (let t = 0; t < 5; t++) {
      const now = await steps.step(input.map((series) => series[t]));
      const [outputs, last] = [all, now].map((found) => (found.dims ? { output: found } : found));
      for (const [key, value] of Object.entries(last)) {
        const { data, dims } = outputs[key];
        const along = dims.indexOf(5);
        assert.equal(dims.length, value.dims.length + 1, `${name} ${key}`);
        assert.deepEqual(
          dims.filter((_, axis) => axis !== along),
          [...value.dims],
        );
        const inner = dims.slice(along + 1).reduce((a, b) => a * b, 1);
        const at = data.filter((_, i) => Math.floor(i / inner) % 5 === t);
        assert.ok(distance({ data: at, dims: value.dims }, value) < 1e-5, `${name} ${key} ${t}`);
      }
    }
  }
});

test("what cannot stream says why", async () => {
  const classifier = await load(bundle("classifier"), { ort });
  assert.throws(() => classifier.stream(), OptionError);
  assert.throws(() => weather.stream(0), {
    name: "OptionError",
    message: "batch must be an integer ≥ 1, got 0",
  });
});
