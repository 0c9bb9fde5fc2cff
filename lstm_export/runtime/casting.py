"""Arrays in the dtype that a graph wants, where that changes no number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_export.errors import InputError
from lstm_export.runtime.feed import as_float32

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array


def cast(array: Array, name: str, wanted: str) -> Array:
    """`array` as `wanted`, in C order. Raises InputError where that would not be the same."""
    if wanted == "float32":
        return as_float32(array, name)
    if array.dtype.name == wanted or (wanted == "string" and array.dtype.kind in "UO"):
        return np.asarray(array, order="C")
    got: np.dtype[Any] = array.dtype
    if wanted == "float64" and (got.kind in "iu" or got == np.float32):
        return array.astype(np.float64)
    if wanted.startswith(("int", "uint")) and got.kind in "iu":
        return _in_range(array, name, np.dtype(wanted))
    raise InputError(f"{name}: expected {wanted}, got {got}")


def _in_range(array: Array, name: str, wanted: np.dtype[Any]) -> Array:
    limits = np.iinfo(wanted)
    smallest, largest = int(array.min()), int(array.max())
    if smallest < limits.min or largest > limits.max:
        raise InputError(f"{name}: {smallest} to {largest} does not fit into {wanted}")
    return array.astype(wanted)
