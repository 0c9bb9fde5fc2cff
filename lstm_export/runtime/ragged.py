"""Sequences of different lengths, or too long for one run, through the graphs of a forecaster.

- Equal lengths: `model.onnx`, as any batch.
- One direction: `stream.onnx` on the rows padded at their end, each row's forecast taken at its
  own last step. A long batch goes in chunks with the state carried, rows that have ended left out.
- Two directions: `ragged.onnx`, which takes the lengths; a sequence is never cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import Forecast
from lstm_export.errors import InputError
from lstm_export.runtime.buckets import CALL_WORK
from lstm_export.runtime.chunks import chunks
from lstm_export.runtime.fed_rows import FedRows
from lstm_export.runtime.packing import packed
from lstm_export.runtime.settings import LONG, Plan, width_of

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.graphs import Graphs
    from lstm_export.runtime.sequences import SequenceFeed
    from lstm_export.runtime.streaming.graph import StreamGraph

HEAD_SHARE = 0.75
"""Of the work of the recurrent layers, what a head may cost that runs on every step: forecasts at
every step of padded rows then still take less time than the rows one by one."""
VALUE_WORK = 128
"""Multiplications done in the time in which one value of an output is scaled and written."""


T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class Rows(Protocol[T, R_co]):
    """What runs the sequences of a list in batches, giving a `T` for those of one
    batch, and of it an `R` for each."""

    @property
    def graphs(self) -> Graphs: ...
    @property
    def checks(self) -> bool:
        """Whether values are checked in their batch."""

    @property
    def width(self) -> int: ...
    def fits(self, item: object) -> bool: ...
    def read(self, value: object, name: str) -> Array: ...
    def checked(self, array: Array, name: str) -> Array: ...
    def most(self, items: Sequence[Array]) -> int | None: ...
    def pads(self, length: int) -> bool: ...
    def run(self, items: Sequence[Array], how: Plan, *, check: bool) -> T: ...
    def one(self, batch: T, row: int) -> R_co: ...


class ForecastRows(FedRows):
    """Runs batches of sequences of a forecaster.

    A sequence is (sequence_length, input_size) in any dtype that the feed takes.
    """

    __slots__ = ("_head", "_terms", "_wide", "answer")

    def __init__(
        self,
        terms: Forecast,
        graphs: Graphs,
        feed: SequenceFeed,
        stream: Callable[[], StreamGraph],
    ) -> None:
        recurrent, outputs = terms.recurrent, terms.window.horizon * len(terms.targets)
        super().__init__(graphs, feed, stream, width_of(recurrent))
        self._terms = terms
        self.answer = terms.window.horizon, len(terms.targets)
        self._head, self._wide = outputs * (recurrent.state_size + VALUE_WORK), outputs

    def pads(self, length: int) -> bool:
        """Whether sequences of up to `length` steps that differ in length run as one batch."""
        if not self._terms.causal:
            return self.graphs.has(LAYOUT.ragged)
        cheap = self._head <= HEAD_SHARE * self.graphs.work or self._head * length <= CALL_WORK
        return cheap and self.graphs.has(LAYOUT.stream)

    def run(self, items: Sequence[Array], how: Plan, *, check: bool) -> Array:
        """The forecasts (batch, horizon, targets) after sequences that come longest first.

        `check` refuses values that are not finite. Raises UncleanError.
        """
        steps = len(items[0])
        streams = self._terms.causal and self.graphs.has(LAYOUT.stream)
        if streams and steps * len(items) * self.width > LONG:
            return self._in_chunks(items, how, check)
        if steps == len(items[-1]):
            session = self.graphs.open(LAYOUT.model, how)
            return session.run({"x": packed(items, 0, steps, check)})[0]
        if streams:
            return self._in_chunks(items, how, check)
        lengths = np.array([len(item) for item in items], np.int64)
        session = self.graphs.open(LAYOUT.ragged, how)
        return session.run({"x": packed(items, 0, steps, check), "lengths": lengths})[0]

    def one(self, batch: Array, row: int) -> Array:
        """The forecast (horizon, targets) after one sequence of a batch."""
        forecast: Array = batch[row]
        return forecast

    def _in_chunks(self, items: Sequence[Array], how: Plan, check: bool) -> Array:
        rows, lag, stream = len(items), self._terms.window.difference, self._stream()
        state = stream.fresh(rows)
        if lag:
            # The graph cannot tell a missing row from a zero: it starts after the first K.
            state["initial_rows"] = packed(items, 0, lag, check)
        result = np.empty((rows, *self.answer), np.float32)
        width = max(self.width, self._wide)
        for chunk in chunks(stream, items, state, how, width=width, check=check, start=lag):
            result[chunk.ended] = chunk.last
        return result


def refuse(rows: Rows[Any, Any], items: Sequence[Array], name: str) -> InputError:
    """The error for what an UncleanError has told of."""
    for i, item in enumerate(items):
        rows.checked(item, name.format(i))
    return InputError(f"{name.format(0)}: its values changed while they were read")
