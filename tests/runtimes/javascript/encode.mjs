/** The ids of the texts that stdin lists in JSON, by its vocabulary. */

import { text } from "node:stream/consumers";
import { encode } from "../../../lstm_export/javascript/vocabulary.mjs";

const { vocabulary, texts } = JSON.parse(await text(process.stdin));
const ids = texts.map((one) => Array.from(encode(vocabulary, one), Number));
process.stdout.write(JSON.stringify(ids));
