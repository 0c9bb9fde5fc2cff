/**
 * A runner on a session of ONNX Runtime, whichever package it is from.
 *
 * @typedef {import("./frames.mjs").Named} Named
 * @param {any} ort
 * @param {any} session
 * @returns {(inputs: Named[]) => Promise<Named[]>}
 */
export const runner = (ort, session) => async (inputs) => {
  const feeds = Object.fromEntries(
    inputs.map(({ name, type, dims, data }) => [name, new ort.Tensor(type, data, dims)]),
  );
  const outputs = await session.run(feeds);
  return session.outputNames.map((/** @type {string} */ name) => {
    const { type, dims, data } = outputs[name];
    return { name, type, dims, data };
  });
};
