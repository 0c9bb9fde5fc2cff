"""A forecaster from a bundle or a bare ONNX file: raw rows in, forecasts in raw units out."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import Contract, Forecast
from lstm_export.errors import OptionError
from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.quick import Quick
from lstm_export.runtime.sequences import SequenceFeed

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Float32
    from lstm_export.runtime.graphs import Graphs
    from lstm_export.runtime.stream import ForecastStream


class ForecastModel:
    """An exported forecaster; `load` makes one.

    `contract` is what the model promises, `providers` are onnxruntime's execution providers.
    Calling it is thread-safe; a stream belongs to one thread.
    """

    def __init__(
        self, contract: Contract, terms: Forecast, graphs: Graphs, *, on_nonfinite: OnNonfinite
    ) -> None:
        self.contract = contract
        self._terms, self._graphs = terms, graphs
        self._on_nonfinite = on_nonfinite
        self._feed = SequenceFeed(terms, on_nonfinite)
        self._quick = Quick(graphs, LAYOUT.model, check=on_nonfinite == "raise")
        # What cannot be opened is told when it is loaded, not at the first call.
        history = terms.window.history
        self._first = graphs.open(LAYOUT.model, graphs.plan(1, history))

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, first choice first."""
        return self._first.providers

    @property
    def terms(self) -> Forecast:
        """The forecast's terms: features, targets, window, scaling, layers, time axis."""
        return self._terms

    def __call__(self, x: object) -> Array:
        """The next `horizon` rows of the targets after each sequence, in raw units.

        `x` is (batch, sequence_length, input_size), or a list of sequences of any lengths, and
        gives (batch, horizon, targets); or (sequence_length, input_size), or rank 1 where
        input_size is 1, and gives (horizon, targets). Also accepted as {"x": ...}. float64 and
        integers are cast to float32. Raises InputError.
        """
        if type(x) is np.ndarray:
            quick = self._quick(x)
            if quick is not None:
                return quick
        sequences = self._feed.read(_named_x(x))
        result = sequences.map(self._run)
        if type(x) is np.ndarray:
            shape = batch, length, _ = sequences.groups[0][1].shape
            answer = (batch, self._terms.window.horizon, len(self._terms.targets))
            self._quick.seen(x, result, shape, answer, batch, length)
        return result

    def forecast(self, history: object, horizon: int | None = None) -> Array:
        """The next `horizon` rows of the targets: (horizon, targets) or (batch, horizon, targets).

        `history` is what a call takes; its last `window.history` rows are used. `horizon` None is
        the trained one. A model that predicts one row of all its features goes further by taking
        its forecasts as new rows; every other refuses more than it was trained for. Raises
        InputError or OptionError.
        """
        steps = self._steps(horizon)
        sequences = self._feed.read(_named_x(history), last=self._terms.window.history)
        if steps > self._terms.window.horizon:
            return sequences.map(lambda x: self._feed_back(x, steps))
        return sequences.map(lambda x: self._run(x)[:, :steps])

    def stream(self, batch: int = 1) -> ForecastStream:
        """A new stream over `batch` series.

        Raises OptionError for a model of two directions, or one loaded without its stream graph.
        """
        if not self._terms.causal:
            raise OptionError(
                "this model reads its input in two directions, so it needs whole sequences and "
                "cannot stream; train it without --bidirectional, or call it on a sliding window"
            )
        from lstm_export.runtime.stream import ForecastStream

        if not self._graphs.has(LAYOUT.stream):
            raise OptionError(
                "a model.onnx alone has no stream graph; load the bundle folder instead"
            )
        graph = self._graphs.spec(LAYOUT.stream)
        session = self._graphs.open(LAYOUT.stream)
        return ForecastStream(session, graph, self._terms, batch, self._on_nonfinite)

    def _run(self, x: Float32) -> Array:
        batch, length, _ = x.shape
        how = self._graphs.plan(batch, length)
        session = self._graphs.open(LAYOUT.model, how)
        if how.shards == 1:
            return session.run({"x": x})[0]
        from lstm_export.runtime.shards import side_by_side

        pieces = side_by_side(lambda rows: session.run({"x": x[rows]})[0], batch, how.shards)
        return np.concatenate(pieces)

    def _steps(self, horizon: int | None) -> int:
        trained = self._terms.window.horizon
        if horizon is None:
            return trained
        try:
            steps = operator.index(horizon)
        except TypeError:
            steps = 0
        if steps < 1 or isinstance(horizon, bool):
            raise OptionError(f"horizon must be an integer ≥ 1, got {horizon!r}")
        if steps > trained > 1:
            raise OptionError(
                f"horizon {steps}: this model predicts {trained} steps at once and no further; "
                f"ask for at most {trained}, or train one with --horizon {steps}"
            )
        if steps > trained and not self._terms.feeds_back:
            targets = {column.name for column in self._terms.targets}
            others = [c.name for c in self._terms.features if c.name not in targets]
            reason = (
                f"it would need future values of {', '.join(others)}, which it does not predict"
            )
            if not others:
                reason = "its targets are not its features in the same order"
            raise OptionError(
                f"horizon {steps}: this model predicts one step, and {reason}; "
                f"ask for 1, or train one with --horizon {steps}"
            )
        return steps

    def _feed_back(self, x: Float32, steps: int) -> Array:
        if self._terms.causal and self._graphs.has(LAYOUT.stream):
            stream = self.stream(len(x))
            outputs = [stream.advance(x)[:, -1]]
            while len(outputs) < steps:
                outputs.append(stream.advance(outputs[-1])[:, -1])
            return np.concatenate(outputs, axis=1)
        outputs = [self._run(x)]
        while len(outputs) < steps:
            x = np.concatenate([x, outputs[-1]], axis=1)
            # One direction: as a stream, which remembers all. Two: the window it was trained on.
            x = x if self._terms.causal else x[:, -self._terms.window.history :]
            outputs.append(self._run(x))
        return np.concatenate(outputs, axis=1)


def _named_x(feed: object) -> object:
    if not isinstance(feed, Mapping):
        return feed
    from lstm_export.runtime.names import checked_names

    return checked_names(feed, ("x",))["x"]
