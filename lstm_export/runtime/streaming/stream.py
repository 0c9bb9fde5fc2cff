"""A stream: a model fed as its data arrives, its state carried from call to call.

What forecasts and other models have in common; the files beside it read their feeds. However the
steps are cut into chunks, the outputs are those of one run over all of them. A call that is refused
leaves the state as it was, and so does one that fails inside onnxruntime.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.errors import InputError, OptionError
from lstm_export.runtime import session
from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.streaming.advance import advance, step_by_step
from lstm_export.runtime.streaming.graph import StreamGraph
from lstm_export.runtime.streaming.lean import Lean
from lstm_export.runtime.streaming.swapped import Swapped, swapped

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from lstm_export.runtime.arrays import Array, Positions

CALLS = 8
"""Steps after which a stream keeps its arrays: opening a session for it costs as long as 100."""


class Stream:
    """`batch` independent series in step with each other.

    Streams on one model share nothing but its weights, and may run at the same time; one stream
    belongs to one thread at a time.
    """

    __slots__ = (
        "__weakref__",
        "_calls",
        "_carried",
        "_check",
        "_graph",
        "_lean",
        "_open",
        "_seen",
        "_swapped",
        "_way",
        "batch",
    )

    def __init__(self, graph: StreamGraph, batch: int, on_nonfinite: OnNonfinite) -> None:
        if isinstance(batch, bool) or not isinstance(batch, int | np.integer) or batch < 1:
            raise OptionError(f"batch must be an integer ≥ 1, got {batch!r}")
        self.batch = int(batch)
        self._graph, self._check = graph, on_nonfinite == "raise"
        self._carried = graph.fresh(self.batch)
        self._seen: Positions = np.zeros(self.batch, np.intp)
        self._swapped: Swapped | None = None
        self._way: Lean | None = None
        self._lean: Lean | None = None
        self._calls, self._open = 0, True

    def reset(self, rows: object = None) -> None:
        """Forgets everything: the next step is the first one.

        `rows` names some series: an index, a list of them, or a boolean mask (batch,). The others
        go on. Raises InputError.
        """
        self._require_open()
        index = slice(None) if rows is None else chosen_rows(rows, self.batch)
        fresh = self._graph.fresh(self.batch)
        carried, seen = self._state(), self._seen.copy()
        self._graph.put(carried, index, self._graph.take(fresh, index))
        seen[index] = 0
        self._keep(carried, seen)

    def snapshot(self) -> dict[str, Array]:
        """All that the stream remembers, as plain arrays that np.savez can save."""
        from lstm_export.runtime.streaming.snapshot import snapshot_of

        self._require_open()
        return snapshot_of(self._graph, self._state(), self._seen)

    def restore(self, snapshot: object) -> None:
        """Goes on from a snapshot of any stream with this batch on the same model.

        `snapshot` is what `snapshot` gave, or np.load of it. Raises InputError for anything else.
        """
        from lstm_export.runtime.streaming.snapshot import restored

        self._require_open()
        self._keep(*restored(self._graph, snapshot, self.batch, check=self._check))

    def close(self) -> None:
        """Gives the arrays back; from then on the stream refuses everything but closing."""
        self._open, self._carried, self._swapped = False, {}, None
        self._way = self._lean = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _advance(self, feeds: Mapping[str, Array], length: int) -> dict[str, Array]:
        """Outputs by name of checked feeds, (batch, length, …) each; the state follows."""
        self._require_open()
        if length == 1 and self._is_warm():
            kept = self._kept()
            if kept is not None:
                for name, value in feeds.items():
                    kept.feeds[name][...] = value
                kept.run()
                return {name: value.copy() for name, value in kept.outputs.items()}
        by_steps = self._graph.stepwise and length > 1
        call = step_by_step if by_steps else advance
        after = call(self._graph, self._state(), self._seen, feeds, length)
        self._keep(after.carried, after.seen)
        return after.outputs

    def _is_warm(self) -> bool:
        return not self._graph.lag or int(self._seen.min()) == self._graph.lag

    def _kept(self) -> Swapped | None:
        """The kept arrays, once there were enough single steps for them to pay."""
        self._calls += 1
        if self._swapped is not None and self._swapped.forks != session.forks:
            self._carried, self._swapped, self._calls = self._swapped.carried, None, CALLS
            self._way = None
        if self._calls == CALLS:
            self._swapped = swapped(self._graph, self._carried, self.batch)
            if self._swapped is not None:
                self._carried = {}
                self._way = Lean.of(self._graph, self._swapped, self.batch, check=self._check)
        self._lean = self._way
        return self._swapped

    def _state(self) -> dict[str, Array]:
        return self._carried if self._swapped is None else self._swapped.carried

    def _keep(self, carried: Mapping[str, Array], seen: Positions) -> None:
        if self._swapped is None:
            self._carried = dict(carried)
        else:
            self._swapped.put(carried)
        self._seen = seen
        if not self._is_warm():
            self._lean = None

    def _require_open(self) -> None:
        if not self._open:
            raise InputError("this stream is closed: open a new one with model.stream()")


def chosen_rows(rows: object, batch: int) -> Positions:
    """Indices, a boolean mask or one index as positions below `batch`. Raises InputError."""
    problem = (
        f"rows must be an index from 0 to {batch - 1}, a list of them, or a boolean mask "
        f"({batch},); got {rows!r}"
    )
    try:
        array = np.asarray(rows)
    except (ValueError, TypeError):
        raise InputError(problem) from None
    if array.dtype == np.bool_:
        if array.shape != (batch,):
            raise InputError(problem)
        return np.flatnonzero(array)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, np.intp)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise InputError(problem)
    if array.min() < 0 or array.max() >= batch:
        raise InputError(problem)
    return array.reshape(-1).astype(np.intp)
