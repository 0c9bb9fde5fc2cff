"""Single steps on arrays that stay allocated, with two sets of state that swap their roles.

One run reads the first set and writes the second, the next the other way round, so no state is
ever copied. What a run reads is never written to: if it fails, the state is the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import BATCH, SEQUENCE_LENGTH, TensorSpec
from lstm_export.errors import BundleError
from lstm_export.runtime import session
from lstm_export.runtime.bound import Bound
from lstm_export.runtime.settings import ONE_THREAD_WORK, PREALLOCATED
from lstm_export.runtime.streaming.graph import StreamGraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstm_export.errors import InputError
    from lstm_export.runtime.arrays import Array, Positions

SESSIONS = 8
"""Batches of a model for which a session of their own is opened; a batch of one always has one."""

_NUMBERS = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


class Swapped:
    """The state of `batch` rows, and one step of them in place.

    Fill `feeds`, `run`, read `outputs`: arrays by the graph's own names and shapes, one step long.
    Belongs to one thread at a time.
    """

    __slots__ = ("_bounds", "_sets", "bindings", "feeds", "forks", "now", "outputs", "start")

    def __init__(
        self, graph: StreamGraph, opened: session.Session, carried: Mapping[str, Array]
    ) -> None:
        batch = carried[graph.states[0].name].shape[graph.states[0].axis]
        self._sets = [
            {state.name: carried[state.name].copy() for state in graph.states} for _ in range(2)
        ]
        self.feeds = {tensor.name: _zeros(tensor, batch) for tensor in graph.data}
        self.outputs = {tensor.name: _zeros(tensor, batch) for tensor in graph.outputs}
        self._bounds = []
        for before, after in ((0, 1), (1, 0)):
            finals = {state.final: self._sets[after][state.name] for state in graph.states}
            inputs = {**self.feeds, **self._sets[before]}
            self._bounds.append(Bound(opened, inputs, {**self.outputs, **finals}))
        self.bindings = [bound.binding for bound in self._bounds]
        self.start = self._bounds[0].start
        self.now, self.forks = 0, session.forks

    @property
    def carried(self) -> dict[str, Array]:
        """The state as it is now: the arrays themselves."""
        return self._sets[self.now]

    def put(self, carried: Mapping[str, Array]) -> None:
        """Takes over a state that was reached another way."""
        for name, array in self._sets[self.now].items():
            array[...] = carried[name]

    def gather(self, graph: StreamGraph, carried: Mapping[str, Array], rows: Positions) -> None:
        """Takes over some rows of a larger state."""
        for state in graph.states:
            # "clip" writes straight into `out`; the rows are known to be there.
            carried[state.name].take(rows, state.axis, self.carried[state.name], "clip")

    def run(self) -> None:
        """One step. Raises InputError if onnxruntime refuses; the state is then as before."""
        now = self.now
        try:
            self.start(self.bindings[now], session.RUN_OPTIONS)
        except Exception as error:
            raise self.refused(error) from None
        self.now = 1 - now

    def refused(self, error: Exception) -> InputError:
        """What onnxruntime said of a run, as an error of ours."""
        return self._bounds[self.now].refused(error)


def swapped(graph: StreamGraph, carried: Mapping[str, Array], batch: int) -> Swapped | None:
    """A `Swapped` that goes on from `carried`; None where arrays are not kept by the settings,
    because of the provider, or because they would be large or of unknown shape."""
    graphs = graph.graphs
    settings, how = graphs.settings_for(batch, 1), graphs.plan(batch, 1)
    if settings.preallocate is False or graphs.providers != (session.CPU,) or not graph.states:
        return None
    if not all(_is_small(tensor, batch) for tensor in (*graph.data, *graph.outputs)):
        return None
    few = batch == 1 or graphs.fixed(LAYOUT.stream) < SESSIONS
    small = graphs.work * batch <= ONE_THREAD_WORK
    sizes = {BATCH: batch, SEQUENCE_LENGTH: 1} if few and small else None
    try:
        return Swapped(graph, graphs.open(LAYOUT.stream, how, sizes=sizes), carried)
    except BundleError:  # its file is gone by now, or it does not take fixed sizes
        return None


def _zeros(tensor: TensorSpec, batch: int) -> Array:
    return np.zeros(_shape(tensor, batch), tensor.dtype)


def _shape(tensor: TensorSpec, batch: int) -> list[int]:
    known = {BATCH: batch, SEQUENCE_LENGTH: 1}
    return [known[axis] if isinstance(axis, str) else axis for axis in tensor.axes]


def _is_small(tensor: TensorSpec, batch: int) -> bool:
    if tensor.dtype not in _NUMBERS:
        return False
    if any(axis not in (BATCH, SEQUENCE_LENGTH) for axis in tensor.axes if isinstance(axis, str)):
        return False
    size = 1
    for axis in _shape(tensor, batch):
        size *= axis
    return size <= PREALLOCATED
