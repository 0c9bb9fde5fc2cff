/**
 * The frames of `lstm_export/parity/frames.py` over stdin and stdout: one loaded model answers any
 * number of runs. Whatever a runtime prints besides goes to stderr.
 *
 * @typedef {{name: string, type: string, dims: number[], data: any}} Named
 */

import { ARRAYS, sizeOf } from "../tensors.mjs";

/** Reads lines and bytes from a stream of pieces. */
class Reader {
  /** @param {AsyncIterable<Uint8Array>} pieces */
  constructor(pieces) {
    this.pieces = pieces[Symbol.asyncIterator]();
    /** @type {Buffer} */
    this.held = Buffer.alloc(0);
  }

  /** Reads on; false at the end. */
  async more() {
    const { value, done } = await this.pieces.next();
    if (done) return false;
    this.held = Buffer.concat([this.held, value]);
    return true;
  }

  /** A line without its end, null at the end of the stream. */
  async line() {
    let end = this.held.indexOf(10);
    while (end < 0) {
      if (!(await this.more())) return null;
      end = this.held.indexOf(10);
    }
    const line = this.held.subarray(0, end).toString("ascii");
    this.held = this.held.subarray(end + 1);
    return line;
  }

  /** @param {number} count */
  async bytes(count) {
    /** @type {Uint8Array[]} */
    const pieces = [this.held];
    let length = this.held.length;
    while (length < count) {
      const { value, done } = await this.pieces.next();
      if (done) throw new Error(`expected ${count} bytes, got ${length}`);
      pieces.push(value);
      length += value.length;
    }
    const all = Buffer.concat(pieces);
    this.held = all.subarray(count);
    return all.subarray(0, count);
  }
}

/** @param {Reader} reader @returns {Promise<Named>} */
async function tensor(reader) {
  const line = await reader.line();
  const [name, type, rank, ...sizes] = (line ?? "").split(" ");
  const dims = sizes.map(Number);
  const Typed = /** @type {any} */ (ARRAYS)[type];
  if (Typed === undefined || dims.length !== Number(rank)) {
    throw new Error(`expected a tensor's name, dtype, rank and sizes, got ${JSON.stringify(line)}`);
  }
  const body = await reader.bytes(sizeOf(dims) * Typed.BYTES_PER_ELEMENT);
  // A copy: a piece of a pipe need not start where numbers may.
  return { name, type, dims, data: new Typed(new Uint8Array(body).buffer) };
}

/** @param {string | Uint8Array} bytes @returns {Promise<void>} */
const put = (bytes) =>
  new Promise((done, failed) => {
    process.stdout.write(bytes, (error) => (error ? failed(error) : done()));
  });

/** @param {string} word @param {unknown} error */
async function putText(word, error) {
  const text = Buffer.from(error instanceof Error ? error.message : String(error));
  await put(`${word} ${text.length}\n`);
  await put(text);
}

/**
 * Loads with `open` and answers until stdin ends.
 *
 * @param {() => Promise<(inputs: Named[]) => Promise<Named[]>>} open
 */
export async function serve(open) {
  for (const method of /** @type {const} */ (["log", "info", "debug", "warn"])) {
    console[method] = (...words) => console.error(...words);
  }
  let run;
  try {
    run = await open();
  } catch (error) {
    await putText("refused", error);
    return;
  }
  await put("ready 0\n");
  const reader = new Reader(process.stdin);
  for (let line = await reader.line(); line !== null; line = await reader.line()) {
    const [word, count] = line.split(" ");
    if (word !== "run") throw new Error(`expected run, got ${JSON.stringify(line)}`);
    const inputs = [];
    for (let i = 0; i < Number(count); i++) inputs.push(await tensor(reader));
    let outputs;
    try {
      outputs = await run(inputs);
    } catch (error) {
      await putText("failed", error);
      continue;
    }
    await put(`ok ${outputs.length}\n`);
    for (const { name, type, dims, data } of outputs) {
      await put(`${[name, type, dims.length, ...dims].join(" ")}\n`);
      await put(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  }
}
