"""Texts or ids as a caller has them: one or a batch, as arrays or as a list of ragged ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import Vocabulary
from lstm_export.errors import InputError
from lstm_export.runtime.feed import as_array
from lstm_export.runtime.sequences import Sequences
from lstm_export.runtime.symbols import Symbols

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array

_BATCH = 2
"""Axes of ids that are a batch."""


class SymbolFeed:
    """What the `x` of a model of symbols must be; asked as `SequenceFeed` is, for numbers."""

    __slots__ = ("_name", "_symbols")

    checks = False
    """Ids are checked when a sequence is read."""
    dtype = np.dtype(np.int64)

    def __init__(self, vocabulary: Vocabulary, name: str = "x") -> None:
        self._symbols, self._name = Symbols(vocabulary), name

    def items(self, value: object) -> list[Array] | None:
        """The sequences in a list, as ids; None if `value` is one text, or one array.

        Raises InputError.
        """
        value, name = _listed(value), self._name
        if not isinstance(value, list | tuple):
            return None
        if not value:
            raise InputError(f"{name} is an empty list; expected at least one text or sequence")
        texts = [isinstance(item, str) for item in value]
        if any(texts):
            if not all(texts):
                raise InputError(f"{name}: expected a list of texts, or of ids, got both in one")
            return [self._symbols.of_text(item, f"{name}[{i}]") for i, item in enumerate(value)]
        if all(isinstance(item, np.ndarray) and item.ndim for item in value):
            return [as_array(item, name) for item in value]
        try:
            np.asarray(value)
        except (ValueError, TypeError, RuntimeError):
            return [as_array(item, f"{name}[{i}]") for i, item in enumerate(value)]
        return None

    def array(self, value: object) -> Sequences:
        """`value`, which is no list of sequences: a text, ids (sequence_length,) or
        (batch, sequence_length). Raises InputError."""
        name = self._name
        if isinstance(value, str):
            ids = self._symbols.of_text(value, name)
            return Sequences(((None, ids[np.newaxis]),), batched=False)
        array = as_array(value, name)
        if array.ndim == _BATCH:
            _require_symbols(array, name)
            return Sequences(((None, self.checked(array, name)),), batched=True)
        one = self.checked(self.sequence(array, name), name)
        return Sequences(((None, one[np.newaxis]),), batched=False)

    def padded(self, value: object, lengths: object) -> list[Array]:
        """The sequences in a padded batch (batch, sequence_length) of ids, as views.

        `lengths` (batch,) are integers: how many ids of each row count. Raises InputError.
        """
        name = self._name
        if isinstance(value, str) or (
            isinstance(value, list | tuple) and self.items(value) is not None
        ):
            raise InputError(
                f"lengths go with a padded batch of ids, and {name} is none: leave them out"
            )
        array = as_array(value, name)
        if array.ndim != _BATCH:
            raise InputError(
                f"lengths go with a padded batch: expected {name} (batch, sequence_length) of ids, "
                f"got shape {array.shape}"
            )
        _require_symbols(array, name)
        from lstm_export.runtime.lengths import read_lengths

        ends = read_lengths(lengths, array.shape[0], array.shape[1], 1)
        return [row[:end] for row, end in zip(array, ends, strict=True)]

    def fits(self, item: object) -> bool:
        """False: every sequence is read."""
        return False

    def alone(self, value: object, name: str) -> Array:
        """One text or one sequence of ids, (sequence_length,). Raises InputError."""
        if isinstance(value, str):
            return self._symbols.of_text(value, name)
        return self.checked(self.sequence(as_array(value, name), name), name)

    def sequence(self, array: Array, name: str) -> Array:
        """One sequence of ids, its values not looked at yet. Raises InputError naming `name`."""
        if array.ndim != 1:
            raise InputError(
                f"{name}: expected a text, ids (sequence_length,) or (batch, sequence_length), "
                f"got shape {array.shape}"
            )
        _require_symbols(array, name)
        return array

    def checked(self, array: Array, name: str) -> Array:
        """`array` as ids of the model. Raises InputError."""
        return self._symbols.checked(array, name)


def _listed(value: object) -> object:
    """An array of texts as a list of them; anything else as it is."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "UOT" and value.ndim == 1:
        texts: Sequence[object] = value.tolist()
        return texts
    return value


def _require_symbols(array: Array, name: str) -> None:
    if 0 in array.shape:
        raise InputError(f"{name} is empty: shape {array.shape}")
