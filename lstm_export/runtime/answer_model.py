"""A model that answers whole sequences, or each of their steps: rows of numbers or texts in,
probabilities or numbers out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import Contract, Sequences
from lstm_export.errors import InputError, OptionError
from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.settings import LONG, USUAL_CALLS, width_of

if TYPE_CHECKING:
    from lstm_export.runtime.answer_rows import AnswerRows
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.graphs import Graphs
    from lstm_export.runtime.progress import Progress
    from lstm_export.runtime.quick import Quick
    from lstm_export.runtime.sequences import SequenceFeed
    from lstm_export.runtime.streaming.answer_pool import AnswerPool
    from lstm_export.runtime.streaming.answer_stream import AnswerStream
    from lstm_export.runtime.streaming.graph import StreamGraph
    from lstm_export.runtime.symbol_feed import SymbolFeed


class AnswerModel:
    """An exported model of sequences; `load` makes one.

    `contract` is what the model promises, `terms` its features or vocabulary, classes or targets.
    Calling it is thread-safe; a stream belongs to one thread.
    """

    def __init__(
        self, contract: Contract, terms: Sequences, graphs: Graphs, *, on_nonfinite: OnNonfinite
    ) -> None:
        self.contract, self.terms = contract, terms
        self._graphs, self._on_nonfinite = graphs, on_nonfinite
        self._feed = feed_of(terms, on_nonfinite)
        self._quick: Quick | None = None
        self._calls = 0
        self._width = max(width_of(terms.recurrent), terms.width)
        # What cannot be opened is told when it is loaded, not at the first call.
        self._first = graphs.open(LAYOUT.model)
        self._streaming: StreamGraph | None = None

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, first choice first."""
        return self._first.providers

    def __call__(self, x: object, *, lengths: object = None) -> Any:
        """The answers to sequences: probabilities of the classes, or the targets in their units.

        `x` is a batch (batch, sequence_length, input_size), or a list of sequences of any lengths,
        and gives (batch, width); or one sequence (sequence_length, input_size), or rank 1 where
        input_size is 1, and gives (width,). With a vocabulary it is a text, a list of texts, or ids
        without the last axis. `lengths` (batch,) say how many steps of each row of a padded batch
        count; what stands behind them is never looked at. Where every step is answered there is an
        axis sequence_length before the last, and a list, or a batch with `lengths`, gives a list.
        Also accepted as {"x": ...}. Every result is that of the sequence alone. Raises InputError.
        """
        if self._quick is not None and type(x) is np.ndarray and lengths is None:
            quick = self._quick(x)
            if quick is not None:
                return quick
        given = self._named_x(x)
        if lengths is not None:
            return self._each(self._feed.padded(given, lengths), "x, row {}")
        items = self._feed.items(given)
        if items is not None:
            return self._each(items, "x[{}]")
        sequences = self._feed.array(given)
        result = sequences.map(self._run)
        self._calls += 1
        if type(x) is np.ndarray and self._calls > USUAL_CALLS and self.terms.vocabulary is None:
            shape = sequences.groups[0][1].shape
            answer = (shape[0], *result.shape[-1 if self.terms.pooling else -2 :])
            self._quickly().seen(x, result, shape, answer, *shape[:2])
        return result

    def map(
        self,
        sequences: Iterable[object],
        *,
        batch_size: int | None = None,
        progress: Progress = None,
    ) -> Iterator[Array]:
        """The answer to each of `sequences`, in order, as they come; as `ForecastModel.map`."""
        from lstm_export.runtime.map import mapped

        return mapped(self._rows(), sequences, batch_size=batch_size, progress=progress)

    def stream(self, batch: int = 1) -> AnswerStream:
        """A new stream over `batch` sequences: an answer after every step.

        Raises OptionError for a model that needs whole sequences, or one loaded without its stream
        graph.
        """
        from lstm_export.runtime.streaming.answer_stream import AnswerStream

        return AnswerStream(self._stream_graph(), self.terms, batch, self._on_nonfinite)

    def pool(self, capacity: int) -> AnswerPool:
        """A pool of up to `capacity` sequences that come and go, stepped as one batch.

        Raises OptionError as `stream` does.
        """
        from lstm_export.runtime.streaming.answer_pool import AnswerPool

        return AnswerPool(self._stream_graph(), self.terms, capacity, self._on_nonfinite)

    def _stream_graph(self) -> StreamGraph:
        if self._streaming is not None:
            return self._streaming
        terms = self.terms
        if not terms.causal:
            why = (
                "reads its input in two directions"
                if terms.recurrent.bidirectional
                else f"answers with the {terms.pooling} over all steps"
            )
            raise OptionError(f"this model {why}: it needs whole sequences and cannot stream")
        if not self._graphs.has(LAYOUT.stream):
            raise OptionError(
                "a model.onnx alone has no stream graph; load the bundle folder instead"
            )
        from lstm_export.runtime.streaming.graph import StreamGraph

        self._graphs.open(LAYOUT.stream)
        self._streaming = StreamGraph(self._graphs)
        return self._streaming

    def _named_x(self, feed: object) -> object:
        if isinstance(feed, Mapping):
            from lstm_export.runtime.names import checked_names

            feed = checked_names(feed, ("x",))["x"]
        texts = feed if isinstance(feed, list | tuple) else (feed,)
        if self.terms.vocabulary is None and any(isinstance(one, str) for one in texts):
            columns = ", ".join(column.name for column in self.terms.features)
            raise InputError(f"x is a text, and this model reads rows of numbers: {columns}")
        return feed

    def _quickly(self) -> Quick:
        if self._quick is None:
            from lstm_export.runtime.quick import Quick

            check = self._on_nonfinite == "raise"
            self._quick = Quick(self._graphs, LAYOUT.model, check=check)
        return self._quick

    def _each(self, items: Sequence[Array], name: str) -> Array | list[Array]:
        from lstm_export.runtime.lists import run_each

        if self.terms.pooling is not None:
            result = np.empty((len(items), self.terms.width), np.float32)
            run_each(self._rows(), items, name, result.__setitem__)
            return result
        steps: list[Array] = [np.empty(0)] * len(items)

        def put(positions: list[int], batch: Array | list[Array]) -> None:
            for position, answer in zip(positions, batch, strict=True):
                steps[position] = answer

        run_each(self._rows(), items, name, put)
        return steps

    def _rows(self) -> AnswerRows:
        from lstm_export.runtime.answer_rows import AnswerRows

        return AnswerRows(self.terms, self._graphs, self._feed, self._stream_graph)

    def _run(self, x: Array) -> Array:
        batch, length = x.shape[:2]
        if batch * length * self._width > LONG:
            return np.asarray(self._each(list(x), "x, row {}"))
        return self._graphs.run_batch(x)


def feed_of(terms: Sequences, on_nonfinite: OnNonfinite) -> SequenceFeed | SymbolFeed:
    """What reads the `x` of a model of these terms."""
    if terms.vocabulary is not None:
        from lstm_export.runtime.symbol_feed import SymbolFeed

        return SymbolFeed(terms.vocabulary)
    from lstm_export.runtime.sequences import SequenceFeed

    return SequenceFeed(terms.features, on_nonfinite)
