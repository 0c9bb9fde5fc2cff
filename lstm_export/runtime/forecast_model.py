"""A forecaster from a bundle or a bare ONNX file: raw rows in, forecasts in raw units out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import Contract, Forecast, Intervals
from lstm_export.errors import OptionError
from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.sequences import SequenceFeed
from lstm_export.runtime.settings import LONG, USUAL_CALLS, width_of

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Float32
    from lstm_export.runtime.graphs import Graphs
    from lstm_export.runtime.intervals import ForecastInterval
    from lstm_export.runtime.progress import Progress
    from lstm_export.runtime.quick import Quick
    from lstm_export.runtime.ragged import ForecastRows
    from lstm_export.runtime.streaming.forecast_pool import ForecastPool
    from lstm_export.runtime.streaming.forecast_stream import ForecastStream
    from lstm_export.runtime.streaming.graph import StreamGraph


class ForecastModel:
    """An exported forecaster; `load` makes one.

    `contract` is what the model promises, `intervals` what its bundle knows of its errors, and
    `providers` are onnxruntime's execution providers.
    Calling it is thread-safe; a stream belongs to one thread.
    """

    def __init__(
        self,
        contract: Contract,
        terms: Forecast,
        graphs: Graphs,
        *,
        on_nonfinite: OnNonfinite,
        intervals: Intervals | None = None,
    ) -> None:
        self.contract = contract
        self.intervals = intervals
        self._terms, self._graphs = terms, graphs
        self._on_nonfinite = on_nonfinite
        self._feed = SequenceFeed(terms.features, on_nonfinite, shortest=terms.window.shortest)
        self._quick: Quick | None = None
        self._calls = 0
        self._width = width_of(terms.recurrent)
        # What cannot be opened is told when it is loaded, not at the first call.
        history = terms.window.history
        self._first = graphs.open(LAYOUT.model, graphs.plan(1, history))
        self._streaming: StreamGraph | None = None

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, first choice first."""
        return self._first.providers

    @property
    def terms(self) -> Forecast:
        """The forecast's terms: features, targets, window, scaling, layers, time axis."""
        return self._terms

    def __call__(self, x: object, *, lengths: object = None) -> Array:
        """The next `horizon` rows of the targets after each sequence, in raw units.

        `x` is (batch, sequence_length, input_size), or a list of sequences of any lengths, and
        gives (batch, horizon, targets); or (sequence_length, input_size), or rank 1 where
        input_size is 1, and gives (horizon, targets). Also accepted as {"x": ...}. float64 and
        integers are cast to float32. `lengths` (batch,) says how many steps of each row of a
        padded batch count; what stands behind them is never looked at. Every result is that of
        the sequence alone. Raises InputError.
        """
        if self._quick is not None and type(x) is np.ndarray and lengths is None:
            quick = self._quick(x)
            if quick is not None:
                return quick
        given = _named_x(x)
        if lengths is not None:
            return self._each(self._feed.padded(given, lengths), "x, row {}")
        items = self._feed.items(given)
        if items is not None:
            return self._each(items, "x[{}]")
        sequences = self._feed.array(given)
        result = sequences.map(self._run)
        self._calls += 1
        if type(x) is np.ndarray and self._calls > USUAL_CALLS:
            shape = batch, length, _ = sequences.groups[0][1].shape
            answer = (batch, self._terms.window.horizon, len(self._terms.targets))
            self._quickly().seen(x, result, shape, answer, batch, length)
        return result

    def _quickly(self) -> Quick:
        if self._quick is None:
            from lstm_export.runtime.quick import Quick

            check = self._on_nonfinite == "raise"
            self._quick = Quick(self._graphs, LAYOUT.model, check=check)
        return self._quick

    @overload
    def forecast(
        self,
        history: object,
        horizon: int | None = None,
        *,
        future: Mapping[str, object] | None = None,
        coverage: None = None,
    ) -> Array: ...

    @overload
    def forecast(
        self,
        history: object,
        horizon: int | None = None,
        *,
        future: Mapping[str, object] | None = None,
        coverage: float,
    ) -> ForecastInterval: ...

    def forecast(
        self,
        history: object,
        horizon: int | None = None,
        *,
        future: Mapping[str, object] | None = None,
        coverage: float | None = None,
    ) -> Array | ForecastInterval:
        """The next `horizon` rows of the targets: (horizon, targets) or (batch, horizon, targets).

        `history` is what a call takes; its last `window.history` rows are used. `horizon` None is
        the trained one. A model that predicts one row goes further by taking its forecasts as new
        rows; features that it does not predict are then given by name in `future`, each
        (horizon,), the same for every series, or (batch, horizon): the values of the rows after
        the history, of which the last is never needed and may be left out. A model that was
        trained on a longer horizon predicts it at once, refuses more, and has no use for `future`.

        With `coverage`, between 0 and 1, the result is (forecast, lower, upper), three such arrays:
        at each step the truth lies between the bounds with at least that probability, as far as
        the future is like the validation part of the training. The bounds are those of the next
        level that is stored in `intervals`. Raises InputError or OptionError.
        """
        from lstm_export.runtime import horizon as ahead

        terms = self._terms
        steps = ahead.checked_steps(terms, horizon, future)
        band = None
        if coverage is not None:
            from lstm_export.runtime.intervals import band as narrowest

            band = narrowest(self.intervals, coverage, steps)
        sequences = self._feed.read(_named_x(history), last=terms.window.history)
        known = None
        if future is not None:
            from lstm_export.runtime.future import read_future

            batch = sum(len(x) for _, x in sequences.groups)
            known = read_future(terms, future, steps, batch, check=self._on_nonfinite == "raise")
        found = ahead.forecast(terms, self._graphs, self._run, sequences, steps, known)
        return found if band is None else band.around(found)

    def stream(self, batch: int = 1) -> ForecastStream:
        """A new stream over `batch` series.

        Raises OptionError for a model of two directions, or one loaded without its stream graph.
        """
        from lstm_export.runtime.streaming.forecast_stream import ForecastStream

        return ForecastStream(self._stream_graph(), self._terms, batch, self._on_nonfinite)

    def pool(self, capacity: int) -> ForecastPool:
        """A pool of up to `capacity` series that come and go, stepped as one batch.

        Raises OptionError as `stream` does.
        """
        from lstm_export.runtime.streaming.forecast_pool import ForecastPool

        return ForecastPool(self._stream_graph(), self._terms, capacity, self._on_nonfinite)

    def _stream_graph(self) -> StreamGraph:
        if self._streaming is not None:
            return self._streaming
        if not self._terms.causal:
            raise OptionError(
                "this model reads its input in two directions, so it needs whole sequences and "
                "cannot stream; train it without --bidirectional, or call it on a sliding window"
            )
        if not self._graphs.has(LAYOUT.stream):
            raise OptionError(
                "a model.onnx alone has no stream graph; load the bundle folder instead"
            )
        from lstm_export.runtime.streaming.graph import StreamGraph

        self._graphs.open(LAYOUT.stream)
        self._streaming = StreamGraph(self._graphs, lag=self._terms.window.difference)
        return self._streaming

    def map(
        self,
        sequences: Iterable[object],
        *,
        batch_size: int | None = None,
        progress: Progress = None,
    ) -> Iterator[Array]:
        """The forecasts (horizon, targets) after each of `sequences`, in order, as they come.

        The iterable may be endless: it is read as the results are taken, a bounded number of
        sequences ahead (`runtime/map.py`), which run in batches of `batch_size` on all cores. A
        sequence that is refused raises InputError with its index, and what the iterable raises is
        raised, both after the results before it. `progress` is called with the number of results
        so far; True writes it to a terminal. Raises OptionError.
        """
        from lstm_export.runtime.map import mapped

        return mapped(self._rows(), sequences, batch_size=batch_size, progress=progress)

    def _each(self, items: Sequence[Array], name: str) -> Array:
        from lstm_export.runtime.lists import run_each

        window = self._terms.window
        result = np.empty((len(items), window.horizon, len(self._terms.targets)), np.float32)
        run_each(self._rows(), items, name, result.__setitem__)
        return result

    def _rows(self) -> ForecastRows:
        from lstm_export.runtime.ragged import ForecastRows

        return ForecastRows(self._terms, self._graphs, self._feed, self._stream_graph)

    def _run(self, x: Float32) -> Array:
        batch, length, _ = x.shape
        if batch * length * self._width > LONG:
            return self._each(list(x), "x, row {}")
        return self._graphs.run_batch(x)


def _named_x(feed: object) -> object:
    if not isinstance(feed, Mapping):
        return feed
    from lstm_export.runtime.names import checked_names

    return checked_names(feed, ("x",))["x"]
