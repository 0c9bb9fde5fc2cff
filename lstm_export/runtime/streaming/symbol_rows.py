"""The steps of a stream of symbols: ids, or texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import Vocabulary
from lstm_export.errors import InputError
from lstm_export.runtime.feed import as_array
from lstm_export.runtime.symbols import Symbols

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array


class SymbolRows:
    """What the steps of a stream of symbols must be."""

    __slots__ = ("_symbols",)

    dtype = np.dtype(np.int64)
    shape: tuple[int, ...] = ()

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._symbols = Symbols(vocabulary)

    def step(self, x_t: object, batch: int, name: str = "x_t") -> tuple[Array, bool]:
        """One id of each sequence as (batch, 1), and whether it came without a batch.

        For a batch of one a text of one symbol will do. Raises InputError.
        """
        if isinstance(x_t, str):
            ids = self._symbols.of_text(x_t, name)
            if batch > 1 or ids.size > 1:
                raise InputError(
                    f"{name}: expected one symbol, got a text of {ids.size} for a batch of {batch}"
                    + ("; run takes several" if batch == 1 else ": give ids (batch,)")
                )
            return ids.reshape(1, 1), True
        array = as_array(x_t, name)
        single = array.ndim == 0
        if array.shape != (batch,) and not (single and batch == 1):
            alone = "an id, or " if batch == 1 else ""
            raise InputError(
                f"{name}: expected one id of each sequence, {alone}({batch},), "
                f"got shape {array.shape}"
            )
        return self._symbols.checked(array.reshape(batch, 1), name), single

    def chunk(self, chunk: object, batch: int) -> tuple[Array, bool]:
        """A chunk of ids as (batch, sequence_length), and whether it came without a batch.

        For a batch of one a text will do; it is cut into symbols by itself, so that no symbol may
        go on in the next. Raises InputError.
        """
        if isinstance(chunk, str):
            array = self._symbols.of_text(chunk, "chunk")
        else:
            array = as_array(chunk, "chunk")
        single = array.ndim == 1
        if single:
            array = array[np.newaxis]
        if array.ndim != 2 or array.shape[0] != batch:
            alone = "a text, ids (sequence_length,) or " if batch == 1 else ""
            shape = array.shape[1:] if single else array.shape
            raise InputError(
                f"chunk: expected {alone}({batch}, sequence_length), got shape {shape}"
            )
        if array.shape[1] == 0:
            raise InputError("chunk is empty: expected at least one id")
        return self._symbols.checked(array, "chunk"), single

    def clean(self, x: Array) -> bool:
        """Whether every id in `x` is one of the model's."""
        return bool((x >= 0).all() and (x < self._symbols.size).all())
