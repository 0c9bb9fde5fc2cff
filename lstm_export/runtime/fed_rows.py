"""Sequences of lists, as the feed of a model with one input reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.graphs import Graphs
    from lstm_export.runtime.sequences import SequenceFeed
    from lstm_export.runtime.streaming.graph import StreamGraph
    from lstm_export.runtime.symbol_feed import SymbolFeed


class FedRows:
    """The reading half of `ragged.Rows`; `width` is as `buckets.cut` has it."""

    __slots__ = ("_feed", "_stream", "checks", "graphs", "width")

    def __init__(
        self,
        graphs: Graphs,
        feed: SequenceFeed | SymbolFeed,
        stream: Callable[[], StreamGraph],
        width: int,
    ) -> None:
        self.graphs, self.checks, self.width = graphs, feed.checks, width
        self._feed, self._stream = feed, stream

    def fits(self, item: object) -> bool:
        """Whether `item` needs no reading, so that its values are checked in its batch alone."""
        return self.checks and self._feed.fits(item)

    def read(self, value: object, name: str) -> Array:
        """One sequence of the right shape. Raises InputError naming `name`."""
        return self._feed.alone(value, name)

    def checked(self, array: Array, name: str) -> Array:
        """`array` as the graph takes it, its values checked. Raises InputError naming `name`."""
        return self._feed.checked(array, name)

    def most(self, items: Sequence[Array]) -> int | None:
        """None: any number of rows runs together."""
        return None
