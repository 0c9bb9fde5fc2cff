"""A pool of a forecaster's streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import Forecast
from lstm_export.runtime.feed import OnNonfinite, all_finite
from lstm_export.runtime.streaming.forecast_stream import ForecastRows
from lstm_export.runtime.streaming.graph import StreamGraph
from lstm_export.runtime.streaming.pool import Pool

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Float32

_FLOAT32 = np.dtype(np.float32)


class ForecastPool(Pool):
    """Up to `capacity` independent series, each in a slot of its own.

    A slot is a number that `join` gives and that is never given twice. Each behaves as a stream of
    its own. Threads may share a pool: a lock lets one of them in at a time.
    """

    __slots__ = ("_rows",)

    def __init__(
        self, graph: StreamGraph, terms: Forecast, capacity: int, on_nonfinite: OnNonfinite
    ) -> None:
        super().__init__(graph, capacity, on_nonfinite)
        self._rows = ForecastRows(terms, on_nonfinite)

    def step(self, rows: Mapping[int, object]) -> dict[int, Array]:
        """The forecasts after one more row of some slots; the others stay as they are.

        `rows` has by slot what `ForecastStream.step` takes for one series: (input_size,), or a
        number where input_size is 1. Gives (horizon, targets) by slot. Raises InputError naming
        the slot; nothing has changed then, in no slot.
        """
        with self._lock():
            slots = self._ordered(rows)
            if not slots:
                return {}
            output = self._together(slots, {"x": self._read(slots, rows)})["output"]
            answers = dict(zip(slots, output[:, 0], strict=True))
            return {slot: answers[slot] for slot in rows}

    def _read(self, slots: list[int], rows: Mapping[int, object]) -> Float32:
        width = self._rows.width
        x = np.empty((len(slots), 1, width), np.float32)
        usual = (width,)
        for i, slot in enumerate(slots):
            value = rows[slot]
            if type(value) is np.ndarray and value.dtype is _FLOAT32 and value.shape == usual:
                x[i, 0] = value
            else:
                x[i, 0] = self._rows.step(value, 1, f"slot {slot}")[0][0, 0]
        if self._check and not all_finite(x):
            for i, slot in enumerate(slots):
                self._rows.step(x[i, 0], 1, f"slot {slot}")
        return x
