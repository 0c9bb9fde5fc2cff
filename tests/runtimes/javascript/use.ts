// Compiled, never run: what the declarations promise to those who write TypeScript.
import { AnswerModel, ForecastModel, InputError, LabelModel, LstmExportError, load } from "lstm-export";
import type { Tensor } from "lstm-export";

const model = await load("bundle/", { checkGolden: true });
if (model instanceof ForecastModel) {
  const forecast: Tensor = await model.run([[1, 2], [3, 4]], { lengths: [2] });
  const { lower } = await model.forecast({ data: forecast.data, dims: [1, 2, 1] }, 3, { coverage: 0.9 });
  const step: Tensor = await model.stream(2).step(new Float32Array(2));
  const names: string[] = model.terms.features.map((column) => column.name);
  console.log(lower.dims, step.dims, names);
  // @ts-expect-error: a misspelt option
  await model.run([1], { length: [1] });
} else if (model instanceof LabelModel) {
  const label: string | string[] = await model.classify(["a text", "another"]);
  console.log(label, await model.tag({ x: "a text" }), model.classes[0], await model.stream().step("a"));
} else if (model instanceof AnswerModel) {
  console.log(await model.run([[1, 2], [3, 4]], { lengths: [2] }), model.terms.targets[0].unit);
} else {
  const outputs = await model.run({ x: [[[1n]]], lengths: BigInt64Array.of(1n) });
  console.log(outputs, await model.stream().step({ x: [1] }));
}
// @ts-expect-error: a truth value is no text
if (model instanceof LabelModel) await model.run(Symbol("x"));
export const refused = (error: unknown) => error instanceof InputError && error instanceof LstmExportError;
