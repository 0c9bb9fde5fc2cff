"""A long input of a graph with a stream graph: in chunks, with the state carried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import SEQUENCE_LENGTH, GraphSpec
from lstm_export.runtime.chunks import CHUNK

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.settings import Plan
    from lstm_export.runtime.streaming.graph import StreamGraph


def in_chunks(
    stream: StreamGraph,
    spec: GraphSpec,
    feeds: Mapping[str, Array],
    batch: int,
    length: int,
    width: int,
    how: Plan,
) -> list[Array]:
    """The outputs of `spec`, in its order, for checked feeds of `length` steps.

    `width` is about how many values one step of one row needs at a time.
    """
    steps = {tensor.name: _step_axis(tensor.axes) for tensor in (*spec.inputs, *spec.outputs)}
    session = stream.graphs.open(LAYOUT.stream, how)
    carried = stream.fresh(batch)
    whole: dict[str, Array] = {}
    size = max(1, CHUNK // (batch * width))
    for start in range(0, length, size):
        stop = min(start + size, length)
        part = {name: _steps(value, steps[name], start, stop) for name, value in feeds.items()}
        outputs = dict(zip(session.outputs, session.run({**part, **carried}), strict=True))
        carried = {state.name: outputs[state.final] for state in stream.states}
        for tensor in spec.outputs:
            value, axis = outputs[tensor.name], steps[tensor.name]
            if axis is None:
                whole[tensor.name] = value
                continue
            if start == 0:
                shape = [length if i == axis else n for i, n in enumerate(value.shape)]
                whole[tensor.name] = np.empty(shape, value.dtype)
            _steps(whole[tensor.name], axis, start, stop)[...] = value
    return [whole[tensor.name] for tensor in spec.outputs]


def _step_axis(axes: tuple[str | int, ...]) -> int | None:
    return axes.index(SEQUENCE_LENGTH) if SEQUENCE_LENGTH in axes else None


def _steps(array: Array, axis: int | None, start: int, stop: int) -> Array:
    if axis is None:
        return array
    view: Array = array[(*[slice(None)] * axis, slice(start, stop))]
    return view
