"""A forecaster's stream: a row of the table in, the forecast from everything up to it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import Forecast
from lstm_export.errors import InputError
from lstm_export.runtime.feed import Axes, OnNonfinite, as_array, as_float32, require_finite
from lstm_export.runtime.streaming.graph import StreamGraph
from lstm_export.runtime.streaming.stream import Stream

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Float32


class ForecastStream(Stream):
    """`batch` independent series in step with each other.

    However the rows are cut into chunks, the outputs are those of one run over all of them: after
    each row the forecast that the model makes from everything up to it. A model on differences
    over K rows has nothing to say for the first K of a series: there the outputs are NaN.
    """

    __slots__ = ("_rows",)

    def __init__(
        self, graph: StreamGraph, terms: Forecast, batch: int, on_nonfinite: OnNonfinite
    ) -> None:
        super().__init__(graph, batch, on_nonfinite)
        self._rows = ForecastRows(terms, on_nonfinite)

    def step(self, x_t: object) -> Array:
        """The forecast after one more row.

        `x_t` is (input_size,), or a number where input_size is 1, and gives (horizon, targets);
        or (batch, input_size) and gives (batch, horizon, targets). Raises InputError; the state
        is then as before.
        """
        if self._lean is not None and type(x_t) is np.ndarray:
            answer = self._lean(x_t)
            if answer is not None:
                return answer
        self._require_open()
        array, single = self._rows.step(x_t, self.batch)
        result = self._advance({"x": array}, 1)["output"][:, 0]
        return result[0] if single else result

    def run(self, chunk: object) -> Array:
        """The forecasts after each row of a chunk.

        `chunk` is (sequence_length, input_size), or rank 1 where input_size is 1, and gives
        (sequence_length, horizon, targets); or (batch, sequence_length, input_size) and gives
        (batch, sequence_length, horizon, targets). Raises InputError; the state is then as before.
        """
        self._require_open()
        array, single = self._rows.chunk(chunk, self.batch)
        result = self._advance({"x": array}, array.shape[1])["output"]
        return result[0] if single else result


class ForecastRows:
    """What the rows of a forecaster's stream must be."""

    __slots__ = ("_axes", "_check", "width")

    def __init__(self, terms: Forecast, on_nonfinite: OnNonfinite) -> None:
        self._axes = Axes(tuple(column.name for column in terms.features))
        self._check = on_nonfinite == "raise"
        self.width = len(terms.features)

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

    def _checked(self, array: Array, name: str) -> Float32:
        checked = as_float32(array, name, self._axes)
        if self._check:
            require_finite(checked, name, self._axes)
        return checked
