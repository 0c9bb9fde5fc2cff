/**
 * What a caller asks of a forecast: how far, with which known future, within which bounds.
 *
 * @typedef {import("./tensors.mjs").Tensor} Tensor
 */

import { InputError, OptionError } from "./errors.mjs";
import { atLeastOne } from "./names.mjs";
import { slice, stack } from "./shapes.mjs";
import { asTensor, cast, isMapping, requireFinite, shapeText } from "./tensors.mjs";

/** @param {any[]} columns @returns {string[]} */
const namesOf = (columns) => columns.map((column) => column.name);

/** The features that the model does not predict. @param {any} terms */
export function knownOf(terms) {
  const targets = namesOf(terms.targets);
  return namesOf(terms.features).filter((name) => !targets.includes(name));
}

/**
 * `horizon`, or the trained one, if the model can go so far. Throws OptionError.
 *
 * @param {any} terms
 * @param {number | undefined} horizon
 * @param {any} future
 */
export function checkedSteps(terms, horizon, future) {
  const trained = terms.window.horizon;
  const given = isMapping(future) ? Object.keys(future).length > 0 : future !== undefined;
  if (given && trained > 1) {
    throw new OptionError(
      `this model predicts its ${trained} steps at once, from the history alone: it has no use ` +
        "for known future values; leave out future",
    );
  }
  const steps = horizon === undefined ? trained : atLeastOne("horizon", horizon);
  if (steps > trained && trained > 1) {
    throw new OptionError(
      `horizon ${steps}: this model predicts ${trained} steps at once and no further; ` +
        `ask for at most ${trained}, or train one with --horizon ${steps}`,
    );
  }
  const others = namesOf(terms.targets).filter((name) => !namesOf(terms.features).includes(name));
  if (steps > trained && others.length > 0) {
    throw new OptionError(
      `horizon ${steps}: this model predicts one step, and ${others.join(", ")} is not among its ` +
        `features: a forecast is no next row; ask for 1, or train one with --horizon ${steps}`,
    );
  }
  const known = knownOf(terms);
  if (steps > trained && known.length > 0 && !given) {
    throw new OptionError(
      `horizon ${steps}: this model predicts one step, and to go on it would need future values ` +
        `of ${known.join(", ")}, which it does not predict: give the next ${steps - 1} of each as ` +
        `future: {name: values}, ask for 1, or train one with --horizon ${steps}`,
    );
  }
  return steps;
}

/**
 * The known features of the rows after the histories, (batch, steps − 1, known features), from
 * (horizon,) or (batch, horizon) values by name. Throws InputError.
 *
 * @param {any} terms
 * @param {any} future
 * @param {number} steps
 * @param {number} batch
 * @param {boolean} checks
 * @returns {Tensor | undefined}
 */
export function readFuture(terms, future, steps, batch, checks) {
  const names = knownOf(terms);
  if (!isMapping(future)) {
    throw new InputError("future: expected an object of values by name, {name: values}");
  }
  if (Object.keys(future).length === 0) return undefined;
  const needed =
    names.length > 0 ? `it needs ${names.join(", ")}` : "it needs none: it predicts them all";
  for (const name of Object.keys(future)) {
    if (namesOf(terms.targets).includes(name)) {
      throw new InputError(
        `future: '${name}' is a target, which the model forecasts by itself; ${needed}`,
      );
    }
    if (!names.includes(name)) {
      throw new InputError(`future: the model has no feature '${name}'; ${needed}`);
    }
  }
  const missing = names.filter((name) => !(name in future));
  if (missing.length > 0) {
    throw new InputError(`future: the values of ${missing.join(", ")} are missing; ${needed}`);
  }
  return stack(
    names.map((name) => values(future[name], `future['${name}']`, steps, batch, checks)),
    2,
  );
}

/**
 * (batch, steps − 1).
 *
 * @param {any} value
 * @param {string} name
 * @param {number} steps
 * @param {number} batch
 * @param {boolean} checks
 */
function values(value, name, steps, batch, checks) {
  const needed = steps - 1;
  const tensor = asTensor(value, name);
  const rank = tensor.dims.length;
  if ((rank !== 1 && rank !== 2) || (rank === 2 && tensor.dims[0] !== batch)) {
    throw new InputError(
      `${name}: expected (${needed},) or more values, the same for every series, or ` +
        `(${batch}, ${needed}), got shape ${shapeText(tensor.dims)}`,
    );
  }
  if (tensor.dims[rank - 1] < needed) {
    throw new InputError(
      `${name} is too short: ${tensor.dims[rank - 1]} values, and a horizon of ${steps} needs ` +
        `${needed}: those of the rows after the history, up to the last but one`,
    );
  }
  const float32 = cast(slice(tensor, rank - 1, 0, needed), name, "float32");
  if (checks) requireFinite(float32, name);
  return rank === 2
    ? float32
    : stack(
        Array.from({ length: batch }, () => float32),
        0,
      );
}

/**
 * The half-widths of the narrowest stored level that promises `coverage`: by step and target.
 * Throws OptionError where there is none.
 *
 * @param {any} intervals
 * @param {number} coverage
 * @param {number} steps
 * @returns {number[][]}
 */
export function halfWidths(intervals, coverage, steps) {
  if (!(typeof coverage === "number" && coverage > 0 && coverage < 1)) {
    throw new OptionError(`coverage must lie between 0 and 1, such as 0.9, got ${coverage}`);
  }
  if (!intervals) {
    throw new OptionError(
      `coverage ${coverage}: this model has no prediction intervals. A bundle has them where its ` +
        "training run had a validation part (--validation above 0)",
    );
  }
  const reach = intervals.half_widths.map((/** @type {number[][]} */ widths) => widths[0].length);
  if (steps > reach[0]) {
    throw new OptionError(
      `coverage ${coverage}: intervals are known for up to ${reach[0]} steps ahead, not for ` +
        `${steps}: so far the validation part was long enough. Ask for a horizon of at most ` +
        `${reach[0]}, or train with a larger --validation`,
    );
  }
  const possible = intervals.levels.filter(
    (/** @type {number} */ _, /** @type {number} */ i) => reach[i] >= steps,
  );
  const level = possible.findIndex((/** @type {number} */ stored) => stored >= coverage);
  if (level < 0) {
    throw new OptionError(
      `coverage ${coverage}: ${intervals.residuals[steps - 1]} residuals of the validation part are ` +
        `enough for at most ${possible.at(-1)} at ${steps} step${steps > 1 ? "s" : ""} ahead; ask ` +
        "for no more, or train with a larger --validation",
    );
  }
  const widths = intervals.half_widths[intervals.levels.indexOf(possible[level])];
  return Array.from({ length: steps }, (_, step) =>
    widths.map((/** @type {number[]} */ target) => target[step]),
  );
}
