/** Many steps ahead. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { InputError, OptionError, load } from "../../../lstm_export/javascript/lstm-export.mjs";
import { bundle, distance, ort, row, rows } from "./setup.mjs";

const sunspots = await load(bundle("sunspots"), { ort });
const weather = await load(bundle("weather"), { ort });
const [known] = weather.terms.features
  .map(({ name }) => name)
  .filter((name) => !weather.terms.targets.some((target) => target.name === name));

test("a forecast goes on from itself", async () => {
  const history = rows(13, 1).flat();
  const ahead = await sunspots.forecast(history, 5);
  assert.deepEqual(ahead.dims, [5, 1]);
  const seen = [...history];
  for (const value of ahead.data) {
    const { data } = await sunspots.run(seen);
    assert.ok(Math.abs(data[0] - value) < 1e-3);
    seen.push(data[0]);
  }
  assert.deepEqual((await sunspots.forecast(history)).dims, [1, 1]);
});

test("the last rows of a longer history are used", async () => {
  const history = rows(30, 1).flat();
  const ahead = await sunspots.forecast(history, 3);
  assert.deepEqual(await sunspots.forecast(history.slice(-13), 3), ahead);
  assert.deepEqual(await sunspots.forecast([NaN, ...history], 3), ahead);
  const list = await sunspots.forecast([Float32Array.from(history), Float32Array.of(1, 2, 4)], 3);
  assert.deepEqual(list.dims, [2, 3, 1]);
  assert.ok(distance(row(list, 0), ahead) < 1e-3);
});

test("known values of the future", async () => {
  const batch = [rows(9, 3), rows(9, 3, 2)];
  const future = rows(4, 2, 5);
  const shared = future.map(([value]) => value);
  const same = await weather.forecast(batch, 4, { future: { [known]: shared } });
  assert.deepEqual(same.dims, [2, 4, 2]);
  const each = await weather.forecast(batch, 4, {
    future: { [known]: [shared, shared.slice().reverse()] },
  });
  assert.ok(distance(row(each, 0), row(same, 0)) === 0);
  assert.ok(distance(row(each, 1), row(same, 1)) > 0);
  const needed = await weather.forecast(batch, 4, { future: { [known]: shared.slice(0, 3) } });
  assert.deepEqual(needed, same);
  const list = await weather.forecast(
    [rows(20, 3), rows(9, 3, 2)].map((h) => ({ data: h.flat(), dims: [h.length, 3] })),
    4,
    {
      future: { [known]: [shared, shared] },
    },
  );
  assert.ok(distance(row(list, 1), row(same, 1)) < 1e-3);
});

test("bounds", async () => {
  const options = { future: { [known]: [1, 2] }, coverage: 0.8 };
  const { forecast, lower, upper } = await weather.forecast([rows(9, 3)], 2, options);
  assert.deepEqual(lower.dims, [1, 2, 2]);
  forecast.data.forEach((value, i) => assert.ok(lower.data[i] < value && value < upper.data[i]));
  await assert.rejects(weather.forecast(rows(9, 3), 1, { coverage: 1 }), OptionError);
  await assert.rejects(weather.forecast(rows(9, 3), 1, { coverage: 0.999999 }), OptionError);
});

test("what cannot be forecast is said", async () => {
  const ask = (...how) => weather.forecast(rows(9, 3), ...how);
  await assert.rejects(ask(0), {
    name: "OptionError",
    message: "horizon must be an integer ≥ 1, got 0",
  });
  await assert.rejects(ask(2), new RegExp(`future values of ${known}`));
  await assert.rejects(
    ask(3, { future: { [known]: [1] } }),
    /is too short: 1 values, and a horizon of 3 needs 2/,
  );
  await assert.rejects(ask(2, { future: { other: [1] } }), InputError);
  await assert.rejects(ask(2, { futures: {} }), {
    name: "OptionError",
    message: "forecast has no option 'futures'; it has future, coverage",
  });
});
