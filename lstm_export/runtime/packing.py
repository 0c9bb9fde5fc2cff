"""Sequences of several lengths as one array, padded at their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_export.runtime.feed import all_finite

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array

FLOAT32 = np.dtype(np.float32)


class UncleanError(Exception):
    """Somewhere in a batch lies a value that is refused; reading the sequences again tells."""


def packed(
    items: Sequence[Array], start: int, stop: int, check: bool, dtype: np.dtype[Any] = FLOAT32
) -> Array:
    """Steps `start` to `stop` of sequences, (batch, stop − start, ...), zeros where one has ended.

    They come longest first, and the longest has `stop` steps or more. Raises UncleanError where
    `check` finds a value that is not finite.
    """
    rest = items[0].shape[1:]
    with np.errstate(over="ignore"):
        if not start and len(items[0]) == len(items[-1]) == stop:
            batch: Array = np.concatenate(items, dtype=dtype, casting="unsafe")
            batch = batch.reshape(len(items), stop, *rest)
        else:
            batch = np.zeros((len(items), stop - start, *rest), dtype)
            for row, item in zip(batch, items, strict=True):
                part = item[start:stop]
                row[: len(part)] = part
    if check and not all_finite(batch):
        raise UncleanError
    return batch
