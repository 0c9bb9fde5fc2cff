/**
 * A bundle of lstm-export in Node.js and in browsers, on ONNX Runtime: the contract, the names and
 * the errors of the Python package.
 *
 *     import { load } from "lstm-export";
 *     const model = await load("bundle/");
 *     const { data, dims } = await model.run([[[1.0], [2.0]]]);
 */

import { AnswerModel, LabelModel } from "./answers.mjs";
import { openBundle } from "./bundle.mjs";
import { OptionError } from "./errors.mjs";
import { ForecastModel } from "./forecaster.mjs";
import { checkGolden } from "./golden.mjs";
import { Graphs, runtimeOf } from "./graphs.mjs";
import { GraphModel } from "./module.mjs";
import { checkedOptions } from "./names.mjs";

export * from "./errors.mjs";
export { AnswerModel, ForecastModel, GraphModel, LabelModel };

/**
 * The model in the bundle at a path (Node.js) or URL. Its checksums are compared before anything
 * runs; with `checkGolden` its golden values are replayed too.
 *
 * Throws BundleError, ChecksumError, NewerFormatError or ContractError if the bundle cannot be
 * used, ParityError if its golden values are not met, MissingExtraError without ONNX Runtime.
 *
 * @param {string | URL} location
 * @param {{ort?: any, checkGolden?: boolean, onNonfinite?: "raise" | "pass", sessionOptions?: object}} [options]
 * @returns {Promise<ForecastModel | LabelModel | AnswerModel | GraphModel>}
 */
export async function load(location, options = {}) {
  checkedOptions("load", options, ["ort", "checkGolden", "onNonfinite", "sessionOptions"]);
  const { onNonfinite = "raise", sessionOptions = {} } = options;
  if (onNonfinite !== "raise" && onNonfinite !== "pass") {
    throw new OptionError(
      `onNonfinite must be "raise" or "pass", got ${JSON.stringify(onNonfinite)}`,
    );
  }
  const bundle = await openBundle(location);
  const graphs = new Graphs(bundle, await runtimeOf(options.ort), sessionOptions);
  // What cannot be opened is told when it is loaded, not at the first call.
  await graphs.open("model.onnx");
  if (options.checkGolden) await checkGolden(graphs);
  return new (modelOf(bundle.manifest))(graphs, onNonfinite === "raise");
}

/** @param {any} manifest */
function modelOf({ task, sequences }) {
  if (task === "forecast") return ForecastModel;
  if (!sequences) return GraphModel;
  return sequences.classes.length > 0 ? LabelModel : AnswerModel;
}
