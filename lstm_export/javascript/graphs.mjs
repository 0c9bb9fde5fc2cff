/**
 * The graphs of a bundle in ONNX Runtime, each opened when it is first needed.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 * @typedef {{name: string, dtype: string, axes: (string | number)[]}} Spec
 */

import { BundleError, InputError, MissingExtraError, OptionError } from "./errors.mjs";
import { shapeText } from "./tensors.mjs";

export class Graphs {
  /** @type {Map<string, Promise<any>>} */
  #sessions = new Map();

  /** @param {import("./bundle.mjs").Bundle} bundle @param {any} ort @param {object} options */
  constructor(bundle, ort, options) {
    this.bundle = bundle;
    this.ort = ort;
    this.options = { logSeverityLevel: 4, ...options };
  }

  /** @param {string} name */
  has(name) {
    return name in this.bundle.manifest.graphs;
  }

  /** @param {string} name @returns {{inputs: Spec[], outputs: Spec[]}} */
  spec(name) {
    return this.bundle.manifest.graphs[name];
  }

  /** A session on one graph. Throws BundleError. @param {string} name */
  open(name) {
    let session = this.#sessions.get(name);
    if (session === undefined) {
      session = this.#opened(name);
      this.#sessions.set(name, session);
      // What failed once, a fetch for one, is tried again.
      session.catch(() => this.#sessions.delete(name));
    }
    return session;
  }

  /** @param {string} name */
  async #opened(name) {
    const content = await this.bundle.read(name);
    const externalData = await this.#weights(content);
    const beside = externalData.length > 0 ? { externalData } : {};
    try {
      return await this.ort.InferenceSession.create(content, { ...this.options, ...beside });
    } catch (error) {
      const where = this.bundle.where(name);
      throw new BundleError(`${where}: ONNX Runtime refuses it: ${reason(error)}`);
    }
  }

  /** The files of weights that a graph names. @param {Uint8Array} content */
  async #weights(content) {
    const { files, graphs } = this.bundle.manifest;
    const others = Object.keys(files).filter(
      (name) => !(name in graphs) && !/\.(npz|md)$/.test(name),
    );
    if (others.length === 0) return [];
    const text = new TextDecoder("latin1").decode(content);
    const named = others.filter((name) => text.includes(name));
    return Promise.all(named.map(async (path) => ({ path, data: await this.bundle.read(path) })));
  }

  /**
   * All outputs of a graph by name. Throws InputError if ONNX Runtime refuses.
   *
   * @param {string} name
   * @param {Record<string, Tensor>} feeds
   * @returns {Promise<Record<string, Tensor>>}
   */
  async run(name, feeds) {
    const session = await this.open(name);
    const inputs = Object.entries(feeds);
    let results;
    try {
      results = await session.run(
        Object.fromEntries(
          inputs.map(([key, { data, dims, type }]) => [key, new this.ort.Tensor(type, data, dims)]),
        ),
      );
    } catch (error) {
      const shapes = inputs.map(([key, { dims }]) => `${key} ${shapeText(dims)}`).join(", ");
      throw new InputError(`${this.bundle.where(name)} cannot run on ${shapes}: ${reason(error)}`);
    }
    const outputs = this.spec(name).outputs.map((spec) => {
      const { data, dims, type } = results[spec.name];
      return [spec.name, { data, dims: [...dims], type }];
    });
    return Object.fromEntries(outputs);
  }

  /** Gives the memory of all sessions back. */
  async release() {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of sessions) await (await session).release();
  }
}

/**
 * ONNX Runtime as it was handed over, by its package's name, or the first that is installed.
 * Throws MissingExtraError or OptionError.
 *
 * @param {any} given
 */
export async function runtimeOf(given) {
  if (given !== undefined && typeof given !== "string") {
    // A CommonJS package has everything under `default`.
    const ort = given?.InferenceSession ? given : given?.default;
    if (ort?.InferenceSession && ort.Tensor) return ort;
    throw new OptionError(
      "ort: expected the module onnxruntime-node or onnxruntime-web, or the name of one",
    );
  }
  const inNode = typeof process === "object" && Boolean(process.versions?.node);
  const names = given !== undefined ? [given] : ["onnxruntime-web"];
  if (given === undefined && inNode) names.unshift("onnxruntime-node");
  const problems = [];
  for (const name of names) {
    try {
      return await runtimeOf(await import(/* @vite-ignore */ name));
    } catch (error) {
      if (error instanceof OptionError) throw error;
      problems.push(`${name}: ${reason(error)}`);
    }
  }
  throw new MissingExtraError(
    `running a bundle needs ${names.join(" or ")}, which cannot be imported (${problems.join("; ")}): ` +
      `npm install ${names[0]}, or hand the module over as {ort}`,
  );
}

/** What was said, on one line. @param {unknown} error */
const reason = (error) =>
  (error instanceof Error ? error.message : String(error)).split(/\s+/).join(" ").trim();
