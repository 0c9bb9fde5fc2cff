/**
 * A bundle, from a folder or a URL: nothing is handed out before its checksum has been compared.
 */

import { BundleError, ChecksumError, ContractError, NewerFormatError } from "./errors.mjs";

const FORMAT_VERSION = 1;
const BLANK = "0".repeat(64);
const MANIFEST = "manifest.json";

export class Bundle {
  /** @param {any} manifest @param {Source} source */
  constructor(manifest, source) {
    this.manifest = manifest;
    this.source = source;
  }

  /** The path or URL of one file. @param {string} name */
  where(name) {
    return this.source.where(name);
  }

  /**
   * The bytes of one file. Throws BundleError if absent, ChecksumError if changed.
   *
   * @param {string} name
   */
  async read(name) {
    const entry = this.manifest.files[name];
    const where = this.where(name);
    if (entry === undefined) throw new BundleError(`${where}: the manifest lists no ${name}`);
    const content = await this.source.read(name);
    if (content === null) throw new BundleError(`${where} is listed in the manifest but missing`);
    if (content.length !== entry.bytes) {
      throw new ChecksumError(`${where}: expected ${entry.bytes} bytes, found ${content.length}`);
    }
    if ((await sha256(content)) !== entry.sha256) {
      throw new ChecksumError(
        `${where} was changed after it was written: its sha256 does not match`,
      );
    }
    return content;
  }
}

/**
 * Reads and checks the manifest. Throws BundleError where there is no bundle, ChecksumError where
 * the manifest was changed, NewerFormatError where a newer version wrote it.
 *
 * @param {string | URL} location
 */
export async function openBundle(location) {
  const source = await sourceOf(location);
  const where = source.where(MANIFEST);
  const content = await source.read(MANIFEST);
  if (content === null) {
    throw new BundleError(`${location} is not a bundle: it has no ${MANIFEST}`);
  }
  const manifest = await parsed(content, where);
  for (const name of Object.keys(manifest.files)) {
    // A manifest that names "../weights" would have a reader open files it was never given.
    if (/^[/\\]|:|(^|[/\\])\.\.([/\\]|$)/.test(name)) {
      throw new BundleError(`${where} names '${name}', which leaves the bundle`);
    }
  }
  return new Bundle(manifest, source);
}

/** @param {Uint8Array} content @param {string} where */
async function parsed(content, where) {
  let text;
  let body;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
    body = JSON.parse(text);
  } catch (error) {
    throw new BundleError(`${where} is not a manifest: not JSON (${said(error)})`);
  }
  const version = body?.format_version;
  if (!Number.isInteger(version) || version < 1) {
    throw new ContractError(
      `${where}: format_version must be an integer ≥ 1, got ${JSON.stringify(version)}`,
    );
  }
  if (version > FORMAT_VERSION) {
    throw new NewerFormatError(
      `${where} has format version ${version}; this lstm-export reads up to ${FORMAT_VERSION}: ` +
        "take a newer one",
    );
  }
  const blank = text.replace(`"checksum": "${body.checksum}"`, `"checksum": "${BLANK}"`);
  if (body.checksum !== (await sha256(new TextEncoder().encode(blank)))) {
    throw new ChecksumError(
      `${where} was changed after it was written: its checksum does not match. ` +
        "Export the bundle again, or fetch it again from where it came",
    );
  }
  if (body.graphs?.["model.onnx"] === undefined || body.files === undefined) {
    throw new ContractError(`${where} lists no model.onnx`);
  }
  const terms = body.task === "forecast" ? body.forecast : body.sequences;
  if (body.task !== "module" && !terms) {
    throw new ContractError(`${where}: the task is ${body.task}, but its terms are missing`);
  }
  return body;
}

/** @param {Uint8Array} content */
async function sha256(content) {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) {
    throw new BundleError(
      "the checksums of a bundle cannot be compared: browsers offer sha256 to pages from https or " +
        "localhost alone; serve the page so",
    );
  }
  const digest = new Uint8Array(
    await subtle.digest("SHA-256", /** @type {BufferSource} */ (content)),
  );
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Where files come from; `read` gives null for one that is not there.
 *
 * @typedef {{where(name: string): string, read(name: string): Promise<Uint8Array | null>}} Source
 * @param {string | URL} location
 * @returns {Promise<Source>}
 */
async function sourceOf(location) {
  const text = String(location);
  const inNode = typeof process === "object" && Boolean(process.versions?.node);
  if (!inNode || /^https?:/.test(text)) return overHttp(text);
  const [{ readFile, stat }, { join }, { fileURLToPath }] = await Promise.all([
    import("node:fs/promises"),
    import("node:path"),
    import("node:url"),
  ]);
  const folder = text.startsWith("file:") ? fileURLToPath(text) : text;
  const found = await stat(folder).catch(() => null);
  if (found === null) throw new BundleError(`there is no bundle at ${folder}`);
  if (!found.isDirectory()) {
    throw new BundleError(`${folder} is a file; a bundle is a folder with a ${MANIFEST}`);
  }
  /** @param {string} name */
  const where = (name) => join(folder, name);
  return {
    where,
    read: (name) =>
      readFile(where(name)).catch((error) => {
        if (error.code === "ENOENT") return null;
        throw new BundleError(`cannot read ${where(name)}: ${error.message}`);
      }),
  };
}

/** @param {string} location @returns {Source} */
function overHttp(location) {
  const folder = new URL(
    location.endsWith("/") ? location : `${location}/`,
    globalThis.location?.href,
  );
  /** @param {string} name */
  const where = (name) => new URL(name.split("/").map(encodeURIComponent).join("/"), folder).href;
  return {
    where,
    async read(name) {
      let answer;
      try {
        answer = await fetch(where(name));
      } catch (error) {
        throw new BundleError(`cannot read ${where(name)}: ${said(error)}`);
      }
      if (answer.status === 404) return null;
      if (!answer.ok) throw new BundleError(`cannot read ${where(name)}: HTTP ${answer.status}`);
      return new Uint8Array(await answer.arrayBuffer());
    },
  };
}

/** @param {unknown} error */
const said = (error) => (error instanceof Error ? error.message : String(error));
