/**
 * Texts as ids, by the rule of lstm_export/data/vocabulary.py: lowercased where the vocabulary says
 * so, then brought to the normal form NFC. Characters are code points. Words are what remains
 * between white space after every punctuation mark and every symbol has been set apart as a word.
 *
 * @typedef {{level: "character" | "word", lowercase: boolean, symbols: readonly string[]}} Vocabulary
 */

/** @type {WeakMap<Vocabulary, Map<string, bigint>>} */
const known = new WeakMap();

/**
 * The ids of the symbols of `text`: 1 + their positions in the vocabulary, 0 where they are not in
 * it.
 *
 * @param {Vocabulary} vocabulary
 * @param {string} text
 */
export function encode(vocabulary, text) {
  const folded = (vocabulary.lowercase ? text.toLowerCase() : text).normalize("NFC");
  const symbols = vocabulary.level === "character" ? [...folded] : words(folded);
  const ids = idsOf(vocabulary);
  return BigInt64Array.from(symbols, (symbol) => ids.get(symbol) ?? 0n);
}

/** @param {string} text */
function words(text) {
  const apart = text.replace(/[\p{P}\p{S}]/gu, " $& ");
  return apart.split(/\p{White_Space}+/u).filter((word) => word !== "");
}

/** @param {Vocabulary} vocabulary */
function idsOf(vocabulary) {
  let ids = known.get(vocabulary);
  if (ids === undefined) {
    ids = new Map(vocabulary.symbols.map((symbol, i) => [symbol, BigInt(i + 1)]));
    known.set(vocabulary, ids);
  }
  return ids;
}
