"""The rows of a long table sequence by sequence, each in the order of its time."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_export.data.columns import existing
from lstm_export.data.places import clip, counted, listed
from lstm_export.data.rows import Grouped
from lstm_export.data.table import Table
from lstm_export.data.time_column import candidates, read_times, unreadable
from lstm_export.data.timestamps import NUMBER, Times
from lstm_export.errors import DataError

_MOSTLY = 0.7
"""The share of steps that increase in a column of numbers, called like a time, that is one."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """The order of a table's rows, and the time column that it follows, if there is one."""

    rows: npt.NDArray[np.int64]
    time: str | None
    notes: list[str]


def order_rows(table: Table, named: str | None, taken: Set[str], grouped: Grouped) -> Ordered:
    """The rows of each sequence in the order of the time column: `named`, or the first that is
    called like a time (or holds dates), is not `taken` and does not look like anything else; in
    the file's order where there is none.

    Raises DataError for a time column that cannot be read or that repeats within a sequence.
    """
    if named is not None:
        name = existing(table, [named], "time column")[0]
        if name in taken:
            raise DataError(f"the column {name!r} cannot be the time and something else at once")
        times = read_times(table, name)
        fault = unreadable(table, name, times)
        if times is None or fault is not None:
            raise DataError(f"{table.name}: the time column {name!r} {fault}")
        return _sorted(table, name, times, grouped, [])
    notes: list[str] = []
    for name in candidates(table, taken):
        times = read_times(table, name)
        fault = unreadable(table, name, times)
        if times is not None and fault is None and _like_a_time(times, grouped):
            return _sorted(table, name, times, grouped, notes)
        fault = fault or "neither increases from row to row nor has a regular step"
        notes.append(f"the column {name!r} is not taken as time: it {fault}")
    return Ordered(grouped.rows, None, notes)


def _like_a_time(times: Times, grouped: Grouped) -> bool:
    """Whether rows follow each other in time: as dates do, or as numbers that mostly increase
    within each sequence or, however the rows are shuffled, have one step."""
    if times.form != NUMBER:
        return True
    inner = ~grouped.begins[1:]
    in_file = np.diff(times.instants[grouped.rows])[inner]
    if not len(in_file) or np.mean(in_file > 0) >= _MOSTLY:
        return True
    steps = np.diff(times.instants[_by_time(times, grouped)])[inner]
    return bool(steps[0] > 0 and (steps == steps[0]).all())


def _by_time(times: Times, grouped: Grouped) -> npt.NDArray[np.int64]:
    """The grouped rows, by time within each sequence; what is equal, in the file's order."""
    sequence = np.cumsum(grouped.begins)
    return grouped.rows[np.lexsort((times.instants[grouped.rows], sequence))]


def _sorted(table: Table, name: str, times: Times, grouped: Grouped, notes: list[str]) -> Ordered:
    rows = _by_time(times, grouped)
    steps = np.diff(times.instants[rows])
    twice = np.flatnonzero((steps == 0) & ~grouped.begins[1:])
    if len(twice):
        first, again = int(rows[twice[0]]), int(rows[twice[0] + 1])
        more = f" (and {counted(len(twice) - 1, 'more', 'more')})" if len(twice) > 1 else ""
        raise DataError(
            f"{table.name}: the sequence {clip(grouped.names_at(twice[:1])[0])} has the time "
            f"{clip(table.columns[name].cell(first))} in the column {name!r} twice, at "
            f"{table.place(first)} and {table.place(again)}{more}: expected one row for each time"
        )
    moved = np.flatnonzero(rows != grouped.rows)
    if len(moved):
        names = dict.fromkeys(grouped.names_at(moved))
        notes = [
            *notes,
            f"put into the order of the time column {name!r}: the rows of "
            f"{counted(len(names), 'sequence', 'sequences')}: {listed(list(names), 5)}",
        ]
    return Ordered(rows, name, notes)
