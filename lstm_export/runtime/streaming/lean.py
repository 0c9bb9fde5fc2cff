"""The shortest way through one step: one float32 array in, one array out, nothing allocated but
the answer. For a small model every check and every call here counts."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.runtime import session
from lstm_export.runtime.quick import FEW
from lstm_export.runtime.streaming.graph import StreamGraph, step_axis
from lstm_export.runtime.streaming.swapped import Swapped

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Bools

_FLOAT32 = np.dtype(np.float32)
_are_finite = np.isfinite


class Lean:
    """One step of a model of one float32 input and one output, on the arrays of `swapped`.

    `views` has the input and the output in the shapes that a caller may use, by the input's.
    """

    __slots__ = ("_check", "_finite", "_flat", "_swapped", "_views", "start")

    def __init__(
        self,
        swapped: Swapped,
        flat: Array,
        views: dict[tuple[int, ...], tuple[Array, Array]],
        *,
        check: bool,
    ) -> None:
        self._swapped, self._flat, self._views, self._check = swapped, flat, views, check
        self._finite: Bools | None = np.empty(flat.size, np.bool_) if flat.size > FEW else None
        self.start = swapped.start

    @classmethod
    def of(cls, graph: StreamGraph, swapped: Swapped, batch: int, *, check: bool) -> Lean | None:
        """One for this graph, if it is as simple as that."""
        if len(graph.data) != 1 or len(graph.outputs) != 1:
            return None
        (tensor,), (answer,) = graph.data, graph.outputs
        steps, rows = step_axis(tensor), step_axis(answer)
        if steps != 1 or tensor.axes[0] != "batch" or answer.axes[0] != "batch":
            return None
        x, output = swapped.feeds[tensor.name], swapped.outputs[answer.name]
        if x.dtype != _FLOAT32:
            return None
        row = x[:, 0]
        result = output if rows is None else output[:, 0] if rows == 1 else None
        if result is None:
            return None
        views = {row.shape: (row, result)}
        if batch == 1:
            views[row.shape[1:]] = (row[0], result[0])
        return cls(swapped, x.reshape(-1), views, check=check)

    def __call__(self, x: Array) -> Array | None:
        """The output after the step `x`; None if it needs a closer look, and nothing has happened.

        Raises InputError if onnxruntime refuses.
        """
        views, swapped = self._views.get(x.shape), self._swapped
        if views is None or x.dtype is not _FLOAT32 or swapped.forks != session.forks:
            return None
        row, output = views
        row[...] = x
        if self._check:
            finite = self._finite
            if finite is None:
                # Python's floats hold any sum of a few float32.
                if not isfinite(sum(self._flat.tolist())):
                    return None
            elif b"\0" in _are_finite(self._flat, finite).tobytes():
                return None
        # swapped.run(), without the price of a call.
        now = swapped.now
        try:
            self.start(swapped.bindings[now], session.RUN_OPTIONS)
        except Exception as error:
            raise swapped.refused(error) from None
        swapped.now = 1 - now
        return output.copy()
