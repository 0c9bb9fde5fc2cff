"""Small calls on arrays that stay allocated: one set for each thread and shape.

A shape is let in once it was called a few times the usual way, which has checked that the model
takes it; from then on a call is a copy in, one run in place, and a copy out. Where the batch is
one, its session knows that, and computes beforehand what depends on the batch alone.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import BATCH
from lstm_export.runtime.bound import Bound
from lstm_export.runtime.session import CPU
from lstm_export.runtime.settings import ONE_THREAD_WORK, PREALLOCATED

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Bools, Float32
    from lstm_export.runtime.graphs import Graphs

CALLS = 8
"""Calls of one shape before it is let in: opening its session takes as long as a hundred calls."""
SHAPES = 16
"""Shapes that a thread keeps; one more and it starts anew."""

_FLOAT32 = np.dtype(np.float32)


class Kept:
    """The arrays of one shape: `x` and `output` are views in the caller's shapes."""

    __slots__ = ("bound", "finite", "output", "x")

    def __init__(self, bound: Bound, x: Float32, output: Array) -> None:
        self.bound, self.x, self.output = bound, x, output
        self.finite: Bools = np.empty(x.shape, np.bool_)


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
        if kept is None or x.dtype is not _FLOAT32:
            return None
        kept.x[...] = x
        if self._check:
            np.isfinite(kept.x, kept.finite)
            if b"\0" in kept.finite.tobytes():
                return None
        kept.bound.run()
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
        if calls != CALLS:
            return
        graphs = self._graphs
        settings, how = graphs.settings_for(batch, length), graphs.plan(batch, length)
        if settings.preallocate is False or how.shards > 1 or graphs.providers != (CPU,):
            return
        one = {BATCH: 1} if batch == 1 and graphs.work <= ONE_THREAD_WORK else None
        session = graphs.open(self._name, how, sizes=one)
        array, output = np.zeros(feed, np.float32), np.zeros(answer, np.float32)
        bound = Bound(session, {session.inputs[0]: array}, {session.outputs[0]: output})
        thread.kept[x.shape] = Kept(bound, array.reshape(x.shape), output.reshape(result.shape))
