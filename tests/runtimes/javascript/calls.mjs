/**
 * The calls that stdin lists in JSON, made on one bundle: `[["run", [x], {lengths}], …]`. Every
 * answer is written, or the error. An array is {"$": values, dims, type}; numbers that JSON does not
 * have are their names.
 */

import { text } from "node:stream/consumers";
import { load } from "../../../lstm_export/javascript/lstm-export.mjs";
import { ort } from "./setup.mjs";

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
};

function read(value) {
  if (Array.isArray(value)) return value.map(read);
  if (typeof value !== "object" || value === null) return value;
  if ("$" in value) {
    const from = value.type === "int64" ? BigInt : Number;
    return { data: ARRAYS[value.type].from(value.$, from), dims: value.dims };
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, read(one)]));
}

function written(value) {
  if (Array.isArray(value)) return value.map(written);
  if (typeof value === "string") return value;
  if (value?.dims) {
    return {
      $: Array.from(value.data, (v) => (Number.isFinite(Number(v)) ? Number(v) : String(v))),
      dims: value.dims,
    };
  }
  return (
    value && Object.fromEntries(Object.entries(value).map(([key, one]) => [key, written(one)]))
  );
}

const { bundle, calls } = JSON.parse(await text(process.stdin));
const model = await load(bundle, { ort });
let stream;
const answers = [];
for (const [method, ...given] of calls) {
  const values = given.map((value) => read(value) ?? undefined);
  try {
    if (method === "stream") {
      stream = model.stream(...values);
      answers.push(null);
    } else {
      const [on, name] = method.includes(".") ? [stream, method.split(".")[1]] : [model, method];
      answers.push(written((await on[name](...values)) ?? null));
    }
  } catch (error) {
    answers.push({ error: error.name, message: error.message });
  }
}
process.stdout.write(JSON.stringify(answers));
