"""Texts as ids: which symbols there are, and how a text is cut into them.

Another language does the same in a few lines. A text is lowercased where the vocabulary says so
(full Unicode lowercasing, JavaScript's `toLowerCase`), then brought to the normal form NFC. Its
characters are its code points. Its words are what remains between white space (the characters of
the Unicode property White_Space) after every punctuation mark and every symbol (the general
categories P and S) has been set apart as a word of its own: "Café-bar, 3.5€!" has the words Café,
-, bar, the comma, 3, the full stop, 5, € and the exclamation mark.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lstm_export.contract import SymbolLevel, Vocabulary

Ids = npt.NDArray[np.int64]

UNKNOWN = 0
"""The id of whatever is not among the symbols."""

_WHITE_SPACE = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000").union(
    map(chr, range(0x2000, 0x200B))
)


def fit_vocabulary(
    texts: Iterable[str], level: SymbolLevel, lowercase: bool, most: int | None = None
) -> Vocabulary:
    """The symbols of `texts`, the frequent first and by code point among equals; at `most` so many
    where it is not None."""
    counts: Counter[str] = Counter()
    for text in texts:
        folded = _folded(text, lowercase)
        counts.update(folded if level == "character" else _cut(folded))
    ranked = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    return Vocabulary(level, lowercase, tuple(ranked[:most]))


def encode(vocabulary: Vocabulary, text: str) -> Ids:
    """The ids of the symbols of `text`, int64 (symbols,): 1 + their positions in the vocabulary,
    0 where they are not in it."""
    return _encoder(vocabulary)(_folded(text, vocabulary.lowercase))


def words(text: str) -> list[str]:
    """The words of `text`, punctuation marks among them, as the module's docstring defines them."""
    return _cut(_folded(text, lowercase=False))


def _folded(text: str, lowercase: bool) -> str:
    return unicodedata.normalize("NFC", text.lower() if lowercase else text)


def _cut(text: str) -> list[str]:
    for character in set(text):
        if character in _WHITE_SPACE:
            text = text.replace(character, " ")
        elif unicodedata.category(character)[0] in "PS":
            text = text.replace(character, f" {character} ")
    return [word for word in text.split(" ") if word]


@lru_cache(maxsize=8)
def _encoder(vocabulary: Vocabulary) -> Callable[[str], Ids]:
    """What gives the ids of a folded text."""
    ids = {symbol: i for i, symbol in enumerate(vocabulary.symbols, start=1)}
    if vocabulary.level == "word":
        return lambda text: np.array(
            [ids.get(word, UNKNOWN) for word in _cut(text)], dtype=np.int64
        )
    ordered = sorted(ids)
    points = np.array([ord(symbol) for symbol in ordered], dtype=np.uint32)
    id_at = np.array([UNKNOWN, *(ids[symbol] for symbol in ordered)], dtype=np.int64)

    def encode_characters(text: str) -> Ids:
        found = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        # The last symbol that is not above the character: the character itself, or not known.
        at = np.searchsorted(points, found, side="right")
        known = (at > 0) & (points[at - 1] == found) if len(points) else np.zeros(found.shape, bool)
        return np.where(known, id_at[at], UNKNOWN)

    return encode_characters
