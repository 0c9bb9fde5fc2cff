"""The time column of a table: found or named, read, and checked to increase."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_export.data.columns import existing
from lstm_export.data.places import clip, counted, places
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
_NUMBERS = (NUMBER, "%Y")
"""Forms that anything may have; a column that has another is a time column by its looks."""
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
    exist, or if the only time columns cannot be read or do not increase.
    """
    if named is not None:
        name = existing(table, [named], "time column")[0]
        if name in taken:
            raise DataError(f"the column {name!r} cannot be the time and a value at once")
        times = read_times(table, name)
        fault = _fault(table, name, times, order, begins)
        if times is None or fault is not None:
            raise DataError(f"{table.name}: the time column {name!r} {fault}")
        return TimeColumn(name, times), []
    notes: list[str] = []
    problems: list[DataError] = []
    for name in candidates(table, taken):
        first = table.columns[name].cell(0)
        times = read_times(table, name)
        fault = _fault(table, name, times, order, begins)
        if times is not None and fault is None:
            return TimeColumn(name, times), notes
        if hides_day_and_month(first) or _holds_dates(table, times):
            problems.append(DataError(f"{table.name}: the time column {name!r} {fault}"))
        elif called_like_a_time(name):
            notes.append(f"the column {name!r} is not taken as time: it {fault}")
    if problems:
        raise problems[0]
    return None, notes


def candidates(table: Table, taken: Set[str]) -> list[str]:
    """The columns, not `taken`, that may be a time: those called like one, then those of dates."""

    def may_be(name: str) -> bool:
        # By its values alone, no number is a time.
        forms = forms_of(table.columns[name].cell(0))
        return called_like_a_time(name) or (bool(forms) and forms[-1] != NUMBER)

    names = [name for name in table.columns if name not in taken and may_be(name)]
    return sorted(names, key=lambda name: not called_like_a_time(name))


def called_like_a_time(name: str) -> bool:
    """Whether a column's name says that it is a time: date, timestamp, year, t, …"""
    return _NAME.search(name) is not None


def read_times(table: Table, name: str) -> Times | None:
    """The column read in the form that fits most of its cells; None if no form fits the first."""
    column = table.columns[name]
    best: Times | None = None
    for form in forms_of(column.cell(0)):
        if form == "%Y%m" and not _MONTH_NAME.search(name):
            continue  # 200001 is a month in a column called so, else a number
        times = parse_times(column, form)
        if best is None or len(times.unreadable) < len(best.unreadable):
            best = times
        if not len(times.unreadable):
            break
    return best


def _holds_dates(table: Table, times: Times | None) -> bool:
    if times is None or times.form in _NUMBERS:
        return False
    return 2 * len(times.unreadable) <= table.rows


def unreadable(table: Table, name: str, times: Times | None) -> str | None:
    """What in a time column cannot be read, to follow its name; None if all can."""
    column = table.columns[name]
    if times is None or 2 * len(times.unreadable) > table.rows:
        first = column.cell(0)
        if hides_day_and_month(first):
            return (
                f"has {clip(first)} at {table.place(0)}: day/month or month/day? "
                "Write dates as YYYY-MM-DD"
            )
        return f"has {clip(first)} at {table.place(0)}, known forms are {KNOWN}"
    if len(bad := times.unreadable):
        cells = counted(len(bad), "cell", "cells")
        return f"is written as {times.form!r} but for {cells}: {places(table, bad, column)}"
    return None


def _fault(table: Table, name: str, times: Times | None, order: Order, begins: Flags) -> str | None:
    """What is wrong with a time column, to follow its name; None if nothing is."""
    fault = unreadable(table, name, times)
    if times is None or fault is not None:
        return fault
    column = table.columns[name]
    instants = times.instants if is_identity(order) else times.instants[order]
    wrong = np.flatnonzero((instants[1:] <= instants[:-1]) & ~begins[1:]) + 1
    if not len(wrong):
        return None
    equal = instants[wrong] == instants[wrong - 1]
    findings = [
        f"{len(rows):,} {what}: {places(table, order[rows], column)}"
        for what, rows in (("repeated", wrong[equal]), ("going back", wrong[~equal]))
        if len(rows)
    ]
    return (
        f"does not increase from row to row; {'; '.join(findings)}. Sort the rows, or name the "
        "column that tells several series apart with --series-id"
    )
