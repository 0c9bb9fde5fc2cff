"""Sequences of different lengths, or too long for one run, through the graphs of a model that
answers whole sequences, or each of their steps.

- Equal lengths: `model.onnx`, as any batch.
- Others: `ragged.onnx`, which takes the lengths.
- Too long for one run: `stream.onnx` where there is one, in chunks with the state carried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import Sequences
from lstm_export.runtime.chunks import chunks
from lstm_export.runtime.fed_rows import FedRows
from lstm_export.runtime.packing import packed
from lstm_export.runtime.settings import LONG, Plan, width_of

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.graphs import Graphs
    from lstm_export.runtime.sequences import SequenceFeed
    from lstm_export.runtime.streaming.graph import StreamGraph
    from lstm_export.runtime.symbol_feed import SymbolFeed


class AnswerRows(FedRows):
    """Runs batches of sequences.

    A batch gives an answer (width,) for each sequence, or (sequence_length, width) where every step
    is answered.
    """

    __slots__ = ("_terms",)

    def __init__(
        self,
        terms: Sequences,
        graphs: Graphs,
        feed: SequenceFeed | SymbolFeed,
        stream: Callable[[], StreamGraph],
    ) -> None:
        super().__init__(graphs, feed, stream, max(width_of(terms.recurrent), terms.width))
        self._terms = terms

    def pads(self, length: int) -> bool:
        """Whether sequences that differ in length run as one batch."""
        return self.graphs.has(LAYOUT.ragged)

    def run(self, items: Sequence[Array], how: Plan, *, check: bool) -> Array | list[Array]:
        """The answers to sequences that come longest first.

        `check` refuses values that are not finite. Raises UncleanError.
        """
        steps = len(items[0])
        if steps * len(items) * self.width > LONG and self.graphs.has(LAYOUT.stream):
            return self._in_chunks(items, how, check)
        feeds = {"x": packed(items, 0, steps, check, self._feed.dtype)}
        graph = LAYOUT.model
        if steps != len(items[-1]):
            graph, feeds["lengths"] = LAYOUT.ragged, np.array([len(x) for x in items], np.int64)
        answers = self.graphs.open(graph, how).run(feeds)[0]
        if self._terms.pooling is not None:
            return answers
        # Copies: of a result that is kept, the rest of its batch is not.
        return [answer[: len(item)].copy() for answer, item in zip(answers, items, strict=True)]

    def one(self, batch: Array | list[Array], row: int) -> Array:
        """The answer to one sequence of a batch."""
        answer: Array = batch[row]
        return answer

    def _in_chunks(self, items: Sequence[Array], how: Plan, check: bool) -> Array | list[Array]:
        stream, width = self._stream(), self._terms.width
        pieces = chunks(
            stream,
            items,
            stream.fresh(len(items)),
            how,
            width=self.width,
            check=check,
            dtype=self._feed.dtype,
        )
        if self._terms.pooling is not None:
            last = np.empty((len(items), width), np.float32)
            for chunk in pieces:
                last[chunk.ended] = chunk.last
            return last
        every = [np.empty((len(item), width), np.float32) for item in items]
        for chunk in pieces:
            for whole, part in zip(every, chunk.answers, strict=False):
                ahead = whole[chunk.start : chunk.stop]
                ahead[...] = part[: len(ahead)]
        return every
