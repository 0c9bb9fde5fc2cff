"""A stream of a model of sequences: a step in, the answer to everything up to it out."""

from __future__ import annotations

from lstm_export.contract import Sequences
from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.streaming.graph import StreamGraph
from lstm_export.runtime.streaming.number_rows import NumberRows
from lstm_export.runtime.streaming.row_stream import RowStream, StepRows


class AnswerStream(RowStream):
    """`batch` independent sequences in step with each other.

    An answer is (classes,) probabilities or (targets,) numbers: after each step that of the
    sequence up to it, which for a model of whole sequences is what it would say if this were the
    end. A model with a vocabulary takes ids without the last axis, and for a batch of one texts.
    """

    __slots__ = ()

    def __init__(
        self, graph: StreamGraph, terms: Sequences, batch: int, on_nonfinite: OnNonfinite
    ) -> None:
        super().__init__(graph, rows_of(terms, on_nonfinite), batch, on_nonfinite)


def rows_of(terms: Sequences, on_nonfinite: OnNonfinite) -> StepRows:
    """What reads the steps of a model of these terms."""
    if terms.vocabulary is None:
        return NumberRows(terms.features, on_nonfinite)
    from lstm_export.runtime.streaming.symbol_rows import SymbolRows

    return SymbolRows(terms.vocabulary)
