"""Texts and ids as a model of symbols takes them: int64 ids that it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import Vocabulary
from lstm_export.errors import InputError

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array


class Symbols:
    """The symbols of one model."""

    __slots__ = ("_vocabulary", "level", "size")

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary, self.size = vocabulary, vocabulary.size
        self.level = vocabulary.level

    def of_text(self, text: str, name: str) -> Array:
        """The ids of `text`, int64 (symbols,). Raises InputError if it has none."""
        from lstm_export.data.vocabulary import encode

        ids = encode(self._vocabulary, text)
        if not ids.size:
            level = self._vocabulary.level
            raise InputError(f"{name} is {text!r}, which has no {level}: expected at least one")
        return ids

    def one(self, text: str) -> Array:
        """The id of `text`, which is one symbol, int64 (). Raises InputError."""
        from lstm_export.data.vocabulary import encode

        ids = encode(self._vocabulary, text)
        if ids.size != 1:
            raise InputError(f"expected one {self.level}, got {ids.size} in {text[:40]!r}")
        return ids.reshape(())

    def checked(self, array: Array, name: str) -> Array:
        """`array` as int64 in C order. Raises InputError for an id that the model does not have."""
        if array.dtype.kind not in "iu":
            raise InputError(
                f"{name}: expected a text, or ids (integers from 0 to {self.size - 1}), "
                f"got {array.dtype}"
            )
        if array.size and (int(array.min()) < 0 or int(array.max()) >= self.size):
            wrong = (array < 0) | (array >= self.size)
            place = [int(i) for i in np.unravel_index(int(np.argmax(wrong)), array.shape)]
            raise InputError(
                f"{name}: the id {array[wrong].flat[0]} at {place} is none of this model's: "
                f"expected 0 to {self.size - 1}, where 0 is whatever it does not know"
            )
        return array.astype(np.int64, order="C", copy=False)
