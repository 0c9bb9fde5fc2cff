/** What the module reads of a file of NumPy: `node npz.mjs FILE`, answered in JSON. */

import { readFile } from "node:fs/promises";
import { npzMembers } from "../../../lstm_export/javascript/npz.mjs";

const members = await npzMembers(await readFile(process.argv[2]), process.argv[2]);
const found = [...members].map(([name, { data, dims, type }]) => [
  name,
  { values: Array.from(data, Number), dims, type },
]);
process.stdout.write(JSON.stringify(Object.fromEntries(found)));
