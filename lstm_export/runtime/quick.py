"""Small calls on arrays that stay allocated: one set for each thread and shape.

A model gets this after a few calls, and a shape is let in after a few more, made the usual way,
which has checked that the model takes it. From then on a call is a copy in, one run in place, and
a copy out. The first shapes of a small model get sessions that know them, which compute beforehand
what depends on shapes alone.
"""

from __future__ import annotations

import threading
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import BATCH, SEQUENCE_LENGTH
from lstm_export.runtime import session
from lstm_export.runtime.bound import Bound
from lstm_export.runtime.session import CPU
from lstm_export.runtime.settings import ONE_THREAD_WORK, PREALLOCATED

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Bools, Float32
    from lstm_export.runtime.graphs import Graphs

CALLS = 4
"""Calls of one shape before it is let in: opening its session takes as long as a hundred calls."""
SESSIONS = 8
"""Shapes of a model for which a session of their own is opened."""
FEW = 16
"""Values that are summed up faster in Python than they are looked at in NumPy."""
SHAPES = 16
"""Shapes that a thread keeps; one more and it starts anew."""

_FLOAT32 = np.dtype(np.float32)
_are_finite = np.isfinite


class Kept:
    """The arrays of one shape: `x` and `output` are views in the caller's shapes."""

    __slots__ = ("binding", "bound", "finite", "flat", "forks", "output", "start", "x")

    def __init__(self, bound: Bound, x: Float32, output: Array) -> None:
        self.x, self.output, self.flat = x, output, x.reshape(-1)
        self.finite: Bools | None = np.empty(x.size, np.bool_) if x.size > FEW else None
        self.bound, self.start, self.binding = bound, bound.start, bound.binding
        self.forks = session.forks


class _Thread(threading.local):
    def __init__(self) -> None:
        self.kept: dict[tuple[int, ...], Kept] = {}
        self.calls: dict[tuple[int, ...], int] = {}


class Quick:
    """The quick way through the graph `name`, which has one float32 input and one output."""

    __slots__ = ("_check", "_graphs", "_name", "_thread")

    def __init__(self, graphs: Graphs, name: str, *, check: bool) -> None:
        self._graphs, self._name, self._check = graphs, name, check
        self._thread = _Thread()

    def __call__(self, x: Array) -> Array | None:
        """The output for `x`; None where only the usual way will do."""
        kept = self._thread.kept.get(x.shape)
        if kept is None or x.dtype is not _FLOAT32 or kept.forks != session.forks:
            return None
        kept.x[...] = x
        if self._check:
            finite = kept.finite
            if finite is None:
                # Python's floats hold any sum of a few float32.
                if not isfinite(sum(kept.flat.tolist())):
                    return None
            elif b"\0" in _are_finite(kept.flat, finite).tobytes():
                return None
        try:
            kept.start(kept.binding, session.RUN_OPTIONS)
        except Exception as error:
            raise kept.bound.refused(error) from None
        return kept.output.copy()

    def seen(
        self,
        x: Array,
        result: Array,
        feed: tuple[int, ...],
        answer: tuple[int, ...],
        batch: int,
        length: int,
    ) -> None:
        """Tells of a call made the usual way.

        `x` and `result` are as the caller has them, `feed` and `answer` the shapes of the graph's
        own input and output for them.
        """
        if x.size > PREALLOCATED or result.size > PREALLOCATED or x.dtype is not _FLOAT32:
            return
        thread = self._thread
        calls = thread.calls[x.shape] = thread.calls.get(x.shape, 0) + 1
        if len(thread.calls) > SHAPES:
            thread.calls.clear()
            thread.kept.clear()
        kept = thread.kept.get(x.shape)
        if calls != CALLS and (kept is None or not kept.bound.stale):
            return
        graphs = self._graphs
        settings, how = graphs.settings_for(batch, length), graphs.plan(batch, length)
        if settings.preallocate is False or how.shards > 1 or graphs.providers != (CPU,):
            return
        opened = graphs.open(self._name, how, sizes=self._sizes(batch, length))
        array, output = np.zeros(feed, np.float32), np.zeros(answer, np.float32)
        bound = Bound(opened, {opened.inputs[0]: array}, {opened.outputs[0]: output})
        thread.kept[x.shape] = Kept(bound, array.reshape(x.shape), output.reshape(result.shape))

    def _sizes(self, batch: int, length: int) -> dict[str, int] | None:
        """The axes to fix, for the first shapes of a model whose own work is next to nothing."""
        graphs = self._graphs
        if graphs.work * batch > ONE_THREAD_WORK or graphs.fixed(self._name) >= SESSIONS:
            return None
        return {BATCH: batch, SEQUENCE_LENGTH: length}
