"""The time column of a table: found or named, read, and checked to increase."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_export.data.columns import existing
from lstm_export.data.places import places
from lstm_export.data.rows import is_identity
from lstm_export.data.table import Table
from lstm_export.data.timestamps import (
    KNOWN,
    NUMBER,
    Times,
    forms_of,
    hides_day_and_month,
    parse_times,
)
from lstm_export.errors import DataError

Flags = npt.NDArray[np.bool_]
Order = npt.NDArray[np.int64]

_NAME = re.compile(
    r"time|date|stamp|yearmonth|yyyymm"
    r"|(?<![a-z0-9])(?:years?|months?|quarter|weeks?|days?|hours?|period|index|ds|t|i)(?![a-z0-9])",
    re.IGNORECASE,
)
_MONTH_NAME = re.compile("date|month|period|yyyymm", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """A time column and what it says; `times` are in the table's row order."""

    name: str
    times: Times


def find_time(
    table: Table, named: str | None, taken: Set[str], order: Order, begins: Flags
) -> tuple[TimeColumn | None, list[str]]:
    """The time column and notes on columns that look like one and are not.

    `named` is used as it stands. Without it the first column counts, not `taken` for something
    else, that is called like a time or whose cells are all dates. `order` lists the table's rows
    series by series; where `begins` is True, a series begins. Raises DataError if `named` does not
    exist, or if a time column cannot be read or does not increase.
    """
    if named is not None:
        name = existing(table, [named], "time column")[0]
        if name in taken:
            raise DataError(f"the column {name!r} cannot be the time and a value at once")
        times = _read(table, name)
        if times is None:
            raise _not_times(table, name)
        if len(wrong := _not_increasing(times, order, begins)):
            raise _disorder(table, name, times, order, wrong)
        return TimeColumn(name, times), []
    notes: list[str] = []
    candidates = [name for name in table.columns if name not in taken]
    # A column called like a time goes before one that merely holds dates.
    for name in sorted(candidates, key=lambda name: not _NAME.search(name)):
        column = table.columns[name]
        first = column.cell(0)
        if not _NAME.search(name) and (forms_of(first) or [NUMBER])[-1] == NUMBER:
            continue  # by its values alone, no number is a time
        if hides_day_and_month(first):
            raise _ambiguous(table, name, first)
        times = _read(table, name)
        if times is None:
            if _NAME.search(name):
                notes.append(
                    f"the column {name!r} is not taken as time: {table.place(0)} has {first!r}, "
                    f"known forms are {KNOWN}"
                )
            continue
        wrong = _not_increasing(times, order, begins)
        if not len(wrong):
            return TimeColumn(name, times), notes
        if times.form not in (NUMBER, "%Y"):
            raise _disorder(table, name, times, order, wrong)
        notes.append(
            f"the column {name!r} is not taken as time: it does not increase at "
            f"{places(table, order[wrong])}"
        )
    return None, notes


def _read(table: Table, name: str) -> Times | None:
    """The column read in the first form that fits all its cells; None if no form does.

    Raises DataError if most cells fit one: then the others are what is wrong.
    """
    column = table.columns[name]
    first = column.cell(0)
    best: Times | None = None
    for form in forms_of(first):
        if form == "%Y%m" and not _MONTH_NAME.search(name):
            continue  # 200001 is a month in a column called so, else a number
        times = parse_times(column, form)
        if not len(times.unreadable):
            return times
        if best is None or len(times.unreadable) < len(best.unreadable):
            best = times
    if best is None or 2 * len(best.unreadable) > table.rows:
        return None
    raise DataError(
        f"{table.name}: the time column {name!r} is written as {best.form!r} but for "
        f"{len(best.unreadable)} cells: {places(table, best.unreadable, column)}"
    )


def _not_increasing(times: Times, order: Order, begins: Flags) -> Order:
    """Positions in `order` whose instant is not after the one before, in the same series."""
    instants = times.instants if is_identity(order) else times.instants[order]
    return np.flatnonzero((instants[1:] <= instants[:-1]) & ~begins[1:]) + 1


def _disorder(table: Table, name: str, times: Times, order: Order, wrong: Order) -> DataError:
    equal = times.instants[order[wrong]] == times.instants[order[wrong - 1]]
    column = table.columns[name]
    findings = [
        f"{len(rows)} {what}: {places(table, order[rows], column)}"
        for what, rows in (("repeated", wrong[equal]), ("going back", wrong[~equal]))
        if len(rows)
    ]
    return DataError(
        f"{table.name}: the time column {name!r} must increase from row to row; "
        f"{'; '.join(findings)}. Sort the rows, or name the column that tells several series apart "
        "with --series-id"
    )


def _ambiguous(table: Table, name: str, cell: str) -> DataError:
    return DataError(
        f"{table.name}: the time column {name!r} has {cell!r} at {table.place(0)}: day/month or "
        "month/day? Write dates as YYYY-MM-DD"
    )


def _not_times(table: Table, name: str) -> DataError:
    column = table.columns[name]
    first = column.cell(0)
    if hides_day_and_month(first):
        return _ambiguous(table, name, first)
    return DataError(
        f"{table.name}: the column {name!r} is no time column: {table.place(0)} has {first!r}, "
        f"known forms are {KNOWN}"
    )
