"""A pool of the streams of a model with one input `x` and one answer for every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.streaming.graph import StreamGraph
from lstm_export.runtime.streaming.pool import Pool
from lstm_export.runtime.streaming.row_stream import StepRows

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array


class RowPool(Pool):
    """Up to `capacity` independent series, each in a slot of its own.

    A slot is a number that `join` gives and that is never given twice. Each behaves as a stream of
    its own. Threads may share a pool: a lock lets one of them in at a time.
    """

    __slots__ = ("_answer", "_rows")

    def __init__(
        self, graph: StreamGraph, rows: StepRows, capacity: int, on_nonfinite: OnNonfinite
    ) -> None:
        super().__init__(graph, capacity, on_nonfinite)
        self._rows, self._answer = rows, graph.outputs[0].name

    def step(self, rows: Mapping[int, object]) -> dict[int, Array]:
        """The answers after one more row of some slots; the others stay as they are.

        `rows` has by slot what `RowStream.step` takes for one series: (input_size,), or a number
        where input_size is 1. Gives by slot what it gives. Raises InputError naming the slot;
        nothing has changed then, in no slot.
        """
        with self._lock():
            slots = self._ordered(rows)
            if not slots:
                return {}
            output = self._together(slots, {"x": self._read(slots, rows)})[self._answer]
            answers = dict(zip(slots, output[:, 0], strict=True))
            return {slot: answers[slot] for slot in rows}

    def _read(self, slots: list[int], rows: Mapping[int, object]) -> Array:
        shape, dtype = self._rows.shape, self._rows.dtype
        x = np.empty((len(slots), 1, *shape), dtype)
        for i, slot in enumerate(slots):
            value = rows[slot]
            if type(value) is np.ndarray and value.dtype is dtype and value.shape == shape:
                x[i, 0] = value
            else:
                x[i, 0] = self._rows.step(value, 1, f"slot {slot}")[0][0, 0]
        if not self._rows.clean(x):
            for i, slot in enumerate(slots):
                self._rows.step(x[i, 0], 1, f"slot {slot}")
        return x
