"""Steps of a stream as a function: the state before and the data in, outputs and the state after.

Nothing is changed in place, so whoever calls keeps the old state until the new one is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.runtime.streaming.graph import StreamGraph, behind_rows, step_axis

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Positions

_ROWS = "initial_rows"


class After:
    """What a call gives: outputs by name, the state by name, and how many rows each has seen.

    An output with a step axis has every step of the call there. One without is its value after the
    last step, or after each step on an axis of their own behind the rows': see `run`.
    """

    __slots__ = ("carried", "outputs", "seen")

    def __init__(
        self, outputs: dict[str, Array], carried: Mapping[str, Array], seen: Positions
    ) -> None:
        self.outputs, self.carried, self.seen = outputs, carried, seen


def advance(
    graph: StreamGraph,
    carried: Mapping[str, Array],
    seen: Positions,
    feeds: Mapping[str, Array],
    length: int,
) -> After:
    """One run over `length` steps. `seen` (batch,) counts each row's steps, up to `graph.lag`.

    Raises InputError if onnxruntime refuses.
    """
    batch = len(seen)
    if graph.lag and seen.min() < graph.lag:
        return _warm_up(graph, carried, seen, feeds["x"])
    return After(*graph.run(feeds, carried, batch, length), seen)


def step_by_step(
    graph: StreamGraph,
    carried: Mapping[str, Array],
    seen: Positions,
    feeds: Mapping[str, Array],
    length: int,
) -> After:
    """`advance`, and for every output a value after each step, whatever the graph itself gives."""
    moving = {tensor.name: step_axis(tensor) for tensor in graph.data}
    outputs: dict[str, list[Array]] = {tensor.name: [] for tensor in graph.outputs}
    for t in range(length):
        now = {
            name: value if (axis := moving[name]) is None else _step(value, axis, t)
            for name, value in feeds.items()
        }
        after = advance(graph, carried, seen, now, 1)
        carried, seen = after.carried, after.seen
        for name, value in after.outputs.items():
            outputs[name].append(value)
    joined = {}
    for tensor in graph.outputs:
        axis, values = step_axis(tensor), outputs[tensor.name]
        joined[tensor.name] = (
            np.stack(values, behind_rows(tensor)) if axis is None else np.concatenate(values, axis)
        )
    return After(joined, carried, seen)


def _step(value: Array, axis: int, t: int) -> Array:
    return np.ascontiguousarray(value[(*[slice(None)] * axis, slice(t, t + 1))])


def _warm_up(graph: StreamGraph, carried: Mapping[str, Array], seen: Positions, x: Array) -> After:
    """A run of rows of which some have not seen K yet, where the model has nothing to say.

    The graph cannot tell a missing row from a zero. So the call is cut where a row becomes warm,
    and what the graph makes of the others is dropped: they only take in their raw rows.
    """
    (tensor,) = graph.outputs
    batch, length, _ = x.shape
    output = np.full((batch, length, *tensor.axes[2:]), np.nan, np.float32)
    start = 0
    while start < length:
        cold = seen < graph.lag
        until = start + int((graph.lag - seen)[cold].min()) if cold.any() else length
        stop = min(until, length)
        part = x[:, start:stop]
        if cold.all():
            rows = np.concatenate([carried[_ROWS], part], axis=1)[:, stop - start :]
            carried = {**carried, _ROWS: np.ascontiguousarray(rows)}
        else:
            feeds = {"x": np.ascontiguousarray(part)}
            outputs, after = graph.run(feeds, carried, batch, stop - start)
            output[~cold, start:stop] = outputs[tensor.name][~cold]
            for state in graph.states:
                if state.name != _ROWS and cold.any():
                    kept = state.take(carried[state.name], cold)
                    state.put(after[state.name], cold, kept)
            carried = after
        seen = np.minimum(seen + (stop - start), graph.lag)
        start = stop
    return After({tensor.name: output}, carried, seen)
