/** Names that a caller gives against the names that there are. */

import { InputError, OptionError } from "./errors.mjs";

/**
 * `feeds` if its keys are exactly `expected`. Throws InputError.
 *
 * @template T
 * @param {Record<string, T>} feeds
 * @param {readonly string[]} expected
 */
export function checkedNames(feeds, expected) {
  const wanted = expected.join(", ");
  const unknown = Object.keys(feeds).find((name) => !expected.includes(name));
  if (unknown !== undefined) {
    throw new InputError(`the model has no input '${unknown}'; its inputs are ${wanted}`);
  }
  const missing = expected.find((name) => !(name in feeds));
  if (missing !== undefined) {
    throw new InputError(`the input '${missing}' is missing; the model's inputs are ${wanted}`);
  }
  return feeds;
}

/**
 * `options` if each is one of `known`: a misspelt one would be ignored. Throws OptionError.
 *
 * @template {object} T
 * @param {string} call
 * @param {T} options
 * @param {readonly string[]} known
 */
export function checkedOptions(call, options, known) {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new OptionError(`${call} has no option '${unknown}'; it has ${known.join(", ")}`);
  }
  return options;
}

/** An integer ≥ 1. Throws OptionError. @param {string} name @param {any} value @returns {number} */
export function atLeastOne(name, value) {
  if (!Number.isInteger(value) || value < 1) {
    throw new OptionError(`${name} must be an integer ≥ 1, got ${JSON.stringify(value) ?? value}`);
  }
  return value;
}
