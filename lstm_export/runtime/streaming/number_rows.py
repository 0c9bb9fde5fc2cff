"""The rows of a stream of numbers, as a caller has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import Column
from lstm_export.errors import InputError
from lstm_export.runtime.feed import (
    Axes,
    OnNonfinite,
    all_finite,
    as_array,
    as_float32,
    require_finite,
)

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Float32

_FLOAT32 = np.dtype(np.float32)


class NumberRows:
    """What the rows of a stream of numbers must be: one of each of `features`."""

    __slots__ = ("_axes", "_check", "shape", "width")

    dtype = _FLOAT32

    def __init__(self, features: tuple[Column, ...], on_nonfinite: OnNonfinite) -> None:
        self._axes = Axes(tuple(column.name for column in features))
        self._check = on_nonfinite == "raise"
        self.width = len(features)
        self.shape = (self.width,)

    def step(self, x_t: object, batch: int, name: str = "x_t") -> tuple[Float32, bool]:
        """One row of each series as (batch, 1, input_size), and whether it came without a batch.

        Raises InputError.
        """
        array, width = as_array(x_t, name), self.width
        single = array.ndim < 2
        one_value = array.ndim == 0 and width == 1
        expected = (width,) if single else (batch, width)
        if (array.shape != expected and not one_value) or (single and batch > 1):
            alone = f"({width},) or " if batch == 1 else ""
            raise InputError(
                f"{name}: expected one row of each series, {alone}({batch}, {width}), "
                f"got shape {array.shape}"
            )
        return self._checked(array.reshape(batch, 1, width), name), single

    def chunk(self, chunk: object, batch: int) -> tuple[Float32, bool]:
        """A chunk as (batch, sequence_length, input_size), and whether it came without a batch.

        Raises InputError.
        """
        array, width = as_array(chunk, "chunk"), self.width
        if array.ndim == 1 and width == 1:
            array = array.reshape(-1, 1)
        single = array.ndim == 2
        if single:
            array = array[np.newaxis]
        if array.ndim != 3 or array.shape[2] != width or array.shape[0] != batch:
            alone = f"(sequence_length, {width}) or " if batch == 1 else ""
            shape = array.shape[1:] if single else array.shape
            raise InputError(
                f"chunk: expected {alone}({batch}, sequence_length, {width}), got shape {shape}"
            )
        if array.shape[1] == 0:
            raise InputError("chunk is empty: expected at least one row")
        return self._checked(array, "chunk"), single

    def clean(self, x: Array) -> bool:
        """Whether every value of `x` is finite, where that matters."""
        return not self._check or all_finite(x)

    def _checked(self, array: Array, name: str) -> Float32:
        checked = as_float32(array, name, self._axes)
        if self._check:
            require_finite(checked, name, self._axes)
        return checked
