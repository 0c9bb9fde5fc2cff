"""Streams of a model with one input `x` and one answer for every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.streaming.graph import StreamGraph
from lstm_export.runtime.streaming.stream import Stream

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array


class StepRows(Protocol):
    """What reads the steps of such a model; `shape`, `dtype` are those of one step of one row."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def step(self, x_t: object, batch: int, name: str = "x_t") -> tuple[Array, bool]: ...
    def chunk(self, chunk: object, batch: int) -> tuple[Array, bool]: ...
    def clean(self, x: Array) -> bool:
        """Whether nothing in `x`, of this dtype, would be refused."""


class RowStream(Stream):
    """`batch` independent series in step with each other.

    However the rows are cut into chunks, the outputs are those of one run over all of them.
    """

    __slots__ = ("_answer", "_rows")

    def __init__(
        self, graph: StreamGraph, rows: StepRows, batch: int, on_nonfinite: OnNonfinite
    ) -> None:
        super().__init__(graph, batch, on_nonfinite)
        self._rows, self._answer = rows, graph.outputs[0].name

    def step(self, x_t: object) -> Array:
        """The answer after one more row.

        `x_t` is (input_size,), or a number where input_size is 1, and gives one answer; or
        (batch, input_size) and gives an axis of the batch before it. Raises InputError; the state
        is then as before.
        """
        if self._lean is not None and type(x_t) is np.ndarray:
            answer = self._lean(x_t)
            if answer is not None:
                return answer
        self._require_open()
        array, single = self._rows.step(x_t, self.batch)
        result = self._advance({"x": array}, 1)[self._answer][:, 0]
        return result[0] if single else result

    def run(self, chunk: object) -> Array:
        """The answers after each row of a chunk.

        `chunk` is (sequence_length, input_size), or rank 1 where input_size is 1, and gives an
        answer for each row, (sequence_length, ...); or (batch, sequence_length, input_size) and
        gives (batch, sequence_length, ...). Raises InputError; the state is then as before.
        """
        self._require_open()
        array, single = self._rows.chunk(chunk, self.batch)
        result = self._advance({"x": array}, array.shape[1])[self._answer]
        return result[0] if single else result
