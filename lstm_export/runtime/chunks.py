"""Sequences through a stream graph in pieces, the states carried from one to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.runtime.packing import FLOAT32, packed
from lstm_export.runtime.settings import LONG, Plan

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Positions
    from lstm_export.runtime.streaming.graph import StreamGraph

CHUNK = 1 << 20
"""Values of the widest array within one run of a chunk, 4 MiB: it stays in the cache."""


class Chunk:
    """The answers to steps `start` to `stop` of those sequences that go so far, the first of them
    all: `answers` (rows, stop − start, ...); `ended` are the rows whose last step is among them,
    `last` the answers to it.
    """

    __slots__ = ("answers", "ended", "last", "start", "stop")

    def __init__(self, answers: Array, start: int, stop: int, lengths: Positions) -> None:
        self.answers, self.start, self.stop = answers, start, stop
        going = int(np.searchsorted(-lengths, -stop, "left"))
        self.ended = np.arange(going, len(lengths))
        self.last = answers[self.ended, lengths[self.ended] - 1 - start]


def chunks(
    stream: StreamGraph,
    items: Sequence[Array],
    state: Mapping[str, Array],
    how: Plan,
    *,
    width: int,
    check: bool,
    start: int = 0,
    dtype: np.dtype[Any] = FLOAT32,
) -> Iterator[Chunk]:
    """The first answer of the stream graph to every step of `items`, the longest first, from
    `start` on; `state` is what comes before it, `width` the values that a step of a row needs.

    Sequences that have ended are left out. Raises UncleanError where `check` finds a value that is
    not finite.
    """
    session, answer = stream.graphs.open(LAYOUT.stream, how), stream.outputs[0].name
    lengths = np.array([len(item) for item in items])
    rows, longest = len(items), int(lengths[0])
    whole = rows * (longest - start) * width <= LONG
    while rows:
        steps = longest if whole else max(1, CHUNK // (rows * width))
        stop = min(start + steps, longest)
        feeds = {"x": packed(items[:rows], start, stop, check, dtype), **state}
        outputs = dict(zip(session.outputs, session.run(feeds), strict=True))
        chunk = Chunk(outputs[answer], start, stop, lengths[:rows])
        yield chunk
        state = {carried.name: outputs[carried.final] for carried in stream.states}
        if chunk.ended.size:
            rows = int(chunk.ended[0])
            state = stream.take(state, slice(rows))
        start = stop
