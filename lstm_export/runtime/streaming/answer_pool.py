"""A pool of the streams of a model of sequences."""

from __future__ import annotations

from lstm_export.contract import Sequences
from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.streaming.answer_stream import rows_of
from lstm_export.runtime.streaming.graph import StreamGraph
from lstm_export.runtime.streaming.row_pool import RowPool


class AnswerPool(RowPool):
    """Up to `capacity` independent sequences; a slot takes and gives what `AnswerStream.step`
    does."""

    __slots__ = ()

    def __init__(
        self, graph: StreamGraph, terms: Sequences, capacity: int, on_nonfinite: OnNonfinite
    ) -> None:
        super().__init__(graph, rows_of(terms, on_nonfinite), capacity, on_nonfinite)
