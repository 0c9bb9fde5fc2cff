"""Many streams that come and go, stepped as one batch.

The states of all slots lie in one set of arrays. A step gathers the rows of the slots that it is
given, runs them as one batch on arrays that stay allocated, and scatters what comes out. Running
all rows and putting back those of the others was slower wherever not every slot had a step, up to
twelve times for 1 of 64 and 32 of 256. Where every slot has one, nothing is gathered: two sets of
arrays swap their roles, which saves a third.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.errors import InputError, OptionError
from lstm_export.runtime import session
from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.streaming.advance import advance
from lstm_export.runtime.streaming.graph import StreamGraph
from lstm_export.runtime.streaming.stream import CALLS
from lstm_export.runtime.streaming.swapped import Swapped, swapped

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Positions

SIZES = 16
"""Numbers of slots in a step for which arrays are kept; one more and it starts anew."""


class Pool:
    """Up to `capacity` independent series, each in a slot of its own.

    A slot is a number that `join` gives and that is never given twice. Each behaves as a stream of
    its own. Threads may share a pool: a lock lets one of them in at a time.
    """

    __slots__ = (
        "_calls",
        "_carried",
        "_check",
        "_forks",
        "_free",
        "_full",
        "_graph",
        "_held",
        "_kept",
        "_next",
        "_places",
        "_seen",
        "capacity",
    )

    def __init__(self, graph: StreamGraph, capacity: int, on_nonfinite: OnNonfinite) -> None:
        self.capacity = _checked_capacity(capacity, 1)
        self._graph, self._check = graph, on_nonfinite == "raise"
        self._carried = graph.fresh(self.capacity)
        self._seen: Positions = np.zeros(self.capacity, np.intp)
        self._places: dict[int, int] = {}
        self._free = list(range(self.capacity))[::-1]
        self._next = 0
        self._kept: dict[int, Swapped] = {}
        self._full: Swapped | None = None
        self._calls: dict[int, int] = {}
        self._held, self._forks = threading.Lock(), session.forks

    def __len__(self) -> int:
        """How many slots are taken."""
        return len(self._places)

    @property
    def slots(self) -> tuple[int, ...]:
        """The slots that are taken, in the order in which they joined."""
        return tuple(self._places)

    def join(self) -> int:
        """A new slot, which starts fresh. Raises InputError if the pool is full."""
        with self._lock():
            if not self._free:
                raise InputError(
                    f"the pool is full: all {self.capacity} slots are taken; let one leave, or "
                    "grow the pool"
                )
            place = self._free.pop()
            self._clear(place)
            slot, self._next = self._next, self._next + 1
            self._places[slot] = place
            return slot

    def leave(self, slot: int) -> None:
        """Gives the slot's place back. Raises InputError for a slot that is not taken."""
        with self._lock():
            self._free.append(self._places.pop(self._known(slot)))

    def reset(self, slot: int) -> None:
        """The slot's next step is its first one. Raises InputError."""
        with self._lock():
            self._clear(self._places[self._known(slot)])

    def grow(self, capacity: int) -> None:
        """Makes room for `capacity` slots, at least as many as now. Raises OptionError."""
        with self._lock():
            wanted = _checked_capacity(capacity, self.capacity)
            carried, seen = self._graph.fresh(wanted), np.zeros(wanted, np.intp)
            self._graph.put(carried, slice(0, self.capacity), self._state())
            seen[: self.capacity] = self._seen
            self._free = [*range(wanted - 1, self.capacity - 1, -1), *self._free]
            self._carried, self._seen, self.capacity, self._full = carried, seen, wanted, None
            self._kept.clear()
            self._calls.clear()

    def snapshot(self, slot: int | Sequence[int]) -> dict[str, Array]:
        """All that one slot remembers, as `Stream.snapshot` has it for a batch of one; of several
        slots, as for a batch of them. Raises InputError."""
        from lstm_export.runtime.streaming.snapshot import snapshot_of

        with self._lock():
            places = self._chosen(slot)
            carried = self._graph.take(self._state(), places)
            return snapshot_of(self._graph, carried, self._seen[places])

    def restore(self, slot: int | Sequence[int], snapshot: object) -> None:
        """The slot, or each of several, goes on from a snapshot of as many slots, or of a stream
        with that batch, of the same model. Raises InputError."""
        from lstm_export.runtime.streaming.snapshot import restored

        with self._lock():
            places = self._chosen(slot)
            carried, seen = restored(self._graph, snapshot, len(places), check=self._check)
            self._graph.put(self._state(), places, carried)
            self._seen[places] = seen

    def _chosen(self, slot: int | Sequence[int]) -> list[int]:
        slots = slot if isinstance(slot, Sequence) else [slot]
        return [self._places[self._known(one)] for one in slots]

    def _ordered(self, given: object) -> list[int]:
        """The slots of a step in the order of their places. Raises InputError."""
        if not isinstance(given, Mapping):
            kind = type(given).__name__
            raise InputError(f"expected a mapping of slots to what each is given, got {kind}")
        return sorted([self._known(slot) for slot in given], key=self._places.__getitem__)

    def _together(self, slots: Sequence[int], feeds: Mapping[str, Array]) -> dict[str, Array]:
        """One step of some slots as a batch, in the order of their places, a row for each."""
        graph, places = self._graph, np.array([self._places[slot] for slot in slots], np.intp)
        seen = self._seen[places]
        warm = not graph.lag or int(seen.min()) == graph.lag
        kept = self._arrays(len(places)) if warm else None
        if kept is None:
            after = advance(graph, graph.take(self._state(), places), seen, feeds, 1)
            graph.put(self._state(), places, after.carried)
            self._seen[places] = after.seen
            return after.outputs
        everyone = kept is self._full
        if not everyone:
            kept.gather(graph, self._state(), places)
        for name, value in feeds.items():
            kept.feeds[name][...] = value
        kept.run()
        if not everyone:
            graph.put(self._state(), places, kept.carried)
        return {name: value.copy() for name, value in kept.outputs.items()}

    def _apart(
        self, slots: Sequence[int], feeds: Sequence[Mapping[str, Array]]
    ) -> list[dict[str, Array]]:
        """One step of some slots, each on its own: rows of this model see one another."""
        graph, places = self._graph, [self._places[slot] for slot in slots]
        afters = [
            advance(graph, graph.take(self._state(), [place]), self._seen[[place]], feed, 1)
            for place, feed in zip(places, feeds, strict=True)
        ]
        for place, after in zip(places, afters, strict=True):
            graph.put(self._state(), [place], after.carried)
        return [after.outputs for after in afters]

    def _arrays(self, count: int) -> Swapped | None:
        """Kept arrays for `count` slots, once there were enough such steps for them to pay."""
        if count == self.capacity and self._full is not None:
            return self._full
        kept = self._kept.get(count)
        if kept is not None:
            return kept
        calls = self._calls[count] = self._calls.get(count, 0) + 1
        if len(self._calls) > SIZES:
            self._calls.clear()
            self._kept.clear()
        if calls != CALLS:
            return None
        if count == self.capacity:
            self._full = swapped(self._graph, self._carried, count)
            self._carried = self._carried if self._full is None else {}
            return self._full
        kept = swapped(self._graph, self._graph.fresh(count), count)
        if kept is not None:
            self._kept[count] = kept
        return kept

    def _state(self) -> dict[str, Array]:
        return self._carried if self._full is None else self._full.carried

    def _clear(self, place: int) -> None:
        self._graph.put(self._state(), [place], self._graph.fresh(1))
        self._seen[place] = 0

    def _known(self, slot: object) -> int:
        try:
            number = -1 if isinstance(slot, bool) else operator.index(slot)  # type: ignore[arg-type]
        except TypeError:
            number = -1
        if number in self._places:
            return number
        if 0 <= number < self._next:
            raise InputError(f"slot {number} has left the pool: join gives a new one")
        taken = ", ".join(map(str, self.slots[:10])) + (", …" if len(self) > 10 else "")
        raise InputError(f"slot {slot!r} is unknown; taken are {taken or 'none'}")

    def _lock(self) -> threading.Lock:
        """The lock to hold; in a child process a new one, and arrays bound anew."""
        if self._forks != session.forks:
            if self._held.locked():
                raise InputError(
                    "this process was forked while a thread was stepping the pool, so its states "
                    "may be half written here: make a new pool"
                )
            self._carried = self._state()
            self._full = None
            self._kept.clear()
            self._calls.clear()
            self._held, self._forks = threading.Lock(), session.forks
        return self._held


def _checked_capacity(capacity: object, least: int) -> int:
    try:
        number = -1 if isinstance(capacity, bool) else operator.index(capacity)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if number < least:
        raise OptionError(f"capacity must be an integer ≥ {least}, got {capacity!r}")
    return number
