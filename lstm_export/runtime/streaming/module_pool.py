"""A pool of the streams of a model without terms of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.errors import InputError
from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.streaming.graph import StreamGraph, row_axis
from lstm_export.runtime.streaming.module_feeds import Fed, ModuleFeeds
from lstm_export.runtime.streaming.module_stream import answered
from lstm_export.runtime.streaming.pool import Pool

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array


class ModulePool(Pool):
    """Up to `capacity` independent series, each in a slot of its own.

    A slot is a number that `join` gives and that is never given twice. Each behaves as a stream of
    its own: where the rows of a batch would see one another, the slots are stepped one by one.
    Threads may share a pool: a lock lets one of them in at a time.
    """

    __slots__ = ("_feeds",)

    def __init__(self, graph: StreamGraph, capacity: int, on_nonfinite: OnNonfinite) -> None:
        super().__init__(graph, capacity, on_nonfinite)
        self._feeds = ModuleFeeds(graph.data, on_nonfinite)

    def step(self, feeds: Mapping[int, object]) -> dict[int, Array | dict[str, Array]]:
        """The outputs after one more step of some slots; the others stay as they are.

        `feeds` has by slot what `ModuleStream.step` takes for one series: an array, or a mapping
        by input name. Gives by slot what it gives. Raises InputError naming the slot; nothing has
        changed then, in no slot.
        """
        with self._lock():
            slots = self._ordered(feeds)
            if not slots:
                return {}
            read = [self._read(slot, feeds[slot]) for slot in slots]
            rows = self._rows(slots, read)
            answers = {
                slot: answered(self._graph, row, single=fed.single)
                for slot, row, fed in zip(slots, rows, read, strict=True)
            }
            return {slot: answers[slot] for slot in feeds}

    def _read(self, slot: int, feed: object) -> Fed:
        try:
            named = self._feeds.named(feed, {})
        except InputError as error:
            raise InputError(f"slot {slot}: {error}") from None
        return self._feeds.step(named, 1, f"slot {slot}: ")

    def _rows(self, slots: list[int], read: list[Fed]) -> list[dict[str, Array]]:
        """The outputs of each slot, (1, …) as the graph has them."""
        graph = self._graph
        alike = len({tuple(feed.shape for feed in fed.feeds.values()) for fed in read}) == 1
        if not (graph.together and alike):
            return self._apart(slots, [fed.feeds for fed in read])
        feeds = {
            tensor.name: np.concatenate([fed.feeds[tensor.name] for fed in read], row_axis(tensor))
            for tensor in graph.data
        }
        outputs = self._together(slots, feeds)
        return [
            {
                tensor.name: outputs[tensor.name].take([i], row_axis(tensor))
                for tensor in graph.outputs
            }
            for i in range(len(slots))
        ]
