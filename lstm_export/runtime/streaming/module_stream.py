"""Streams of a model without terms of ours: its data inputs by name, its outputs for every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.streaming.graph import StreamGraph, behind_rows, row_axis, step_axis
from lstm_export.runtime.streaming.module_feeds import ModuleFeeds
from lstm_export.runtime.streaming.stream import Stream

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array


class ModuleStream(Stream):
    """`batch` independent series in step with each other.

    However the steps are cut into chunks, the outputs are those of one run over all of them. An
    output that the model gives once for a whole sequence is its value after each step so far.
    """

    __slots__ = ("_feeds",)

    def __init__(self, graph: StreamGraph, batch: int, on_nonfinite: OnNonfinite) -> None:
        super().__init__(graph, batch, on_nonfinite)
        self._feeds = ModuleFeeds(graph.data, on_nonfinite)

    def step(self, feed: object = None, /, **feeds: object) -> Array | dict[str, Array]:
        """The outputs after one more step: one array, or a dict by name where there are several.

        Inputs are given as to the model, without their step axis: (batch, …), and for a batch of
        one (…) too; an input that has no step axis is given with every step. Raises InputError;
        the state is then as before.
        """
        if self._lean is not None and type(feed) is np.ndarray and not feeds:
            answer = self._lean(feed)
            if answer is not None:
                return answer
        self._require_open()
        fed = self._feeds.step(self._feeds.named(feed, feeds), self.batch)
        return answered(self._graph, self._advance(fed.feeds, 1), single=fed.single)

    def run(self, feed: object = None, /, **feeds: object) -> Array | dict[str, Array]:
        """The outputs after each step of a chunk, on an axis `sequence_length` behind the batch.

        Inputs are given as to the model, (batch, sequence_length, …), and for a batch of one
        (sequence_length, …) too. Raises InputError; the state is then as before.
        """
        self._require_open()
        fed = self._feeds.chunk(self._feeds.named(feed, feeds), self.batch)
        outputs = self._advance(fed.feeds, fed.length)
        if fed.length == 1:
            outputs = _with_steps(self._graph, outputs)
        return answered(self._graph, outputs, single=fed.single, steps=True)


def _with_steps(graph: StreamGraph, outputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs of one step, each with an axis for it."""
    return {
        tensor.name: (
            outputs[tensor.name]
            if step_axis(tensor) is not None
            else np.expand_dims(outputs[tensor.name], behind_rows(tensor))
        )
        for tensor in graph.outputs
    }


def answered(
    graph: StreamGraph, outputs: Mapping[str, Array], *, single: bool, steps: bool = False
) -> Array | dict[str, Array]:
    """Outputs as a caller gets them: without a step axis unless `steps`, and if `single` without
    the batch axis; the array itself where there is only one."""
    result = {}
    for tensor in graph.outputs:
        value, axis, rows = outputs[tensor.name], step_axis(tensor), row_axis(tensor)
        gone = [] if steps or axis is None else [axis]
        if single and rows is not None:
            gone.append(rows)
        result[tensor.name] = value.squeeze(tuple(gone)) if gone else value
    return result if len(result) > 1 else next(iter(result.values()))
