"""One table as the series that a forecaster learns from, or goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lstm_export.contract import TimeAxis
from lstm_export.data.columns import choose_features, choose_targets, existing
from lstm_export.data.missing import Missing, check_policy
from lstm_export.data.places import counted, listed, places
from lstm_export.data.rows import Grouped, group_by_series
from lstm_export.data.table import RowNumbers, Table, Timestamps
from lstm_export.data.time import LONGEST_HOLIDAY, find_steps
from lstm_export.data.time_column import TimeColumn, find_time
from lstm_export.data.values import read_values
from lstm_export.errors import DataError


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows [start, stop) of one series with no step missing between them."""

    series: str
    """The cell of the series-id column; empty where there is none."""
    start: int
    stop: int


@dataclass(frozen=True)
class Series:
    """One or several series, each in the order of time, one after another."""

    features: tuple[str, ...]
    targets: tuple[str, ...]
    values: npt.NDArray[np.float64]
    """(rows, features)"""
    target_values: npt.NDArray[np.float64]
    """(rows, targets). For predicting NaN where unknown, and all NaN for an absent column."""
    segments: tuple[Segment, ...]
    time: TimeAxis | None
    """None without a time column or without a regular step."""
    timestamps: Sequence[str]
    """As written in the table; the row's number, from 1, where `time` is None."""
    notes: tuple[str, ...]
    """What a person must be told: gaps, rows left out, columns not used."""


def read_series(
    table: Table,
    *,
    targets: Sequence[str] | None,
    features: Sequence[str] | Literal["all"] | None,
    time: str | None = None,
    series_id: str | None = None,
    missing: Missing = "error",
    role: Literal["train", "predict"] = "train",
) -> Series:
    """The series in `table`.

    targets: the columns to predict; None for the only numeric one. features: what a model sees;
    None for the targets, "all" for every numeric column. time: the time column; None to find it.
    series_id: the column that tells several series apart. missing: what becomes of missing values:
    "error"; "interpolate" along straight lines over up to LONGEST_INTERPOLATED rows; "drop" the
    rows, so that the segment ends there. role "predict" needs the features only: targets may be
    missing or absent.

    Raises DataError, each naming line and column: a column that does not exist, cells that are not
    numbers or not finite, missing values, a time that does not increase.
    """
    check_policy(missing)
    apart = set(existing(table, [series_id], "series id")) if series_id else set()
    grouped = group_by_series(table, series_id)
    taken = apart | set(_named(targets)) | set(_named(features))
    found, notes = find_time(table, time, taken, grouped.rows, grouped.begins)
    if found:
        apart = apart | {found.name}
    if role == "predict" and targets:
        chosen_targets = tuple(targets)
    else:
        chosen_targets = choose_targets(table, targets, apart)
    chosen = choose_features(table, features, chosen_targets, apart)
    if both := [name for name in dict.fromkeys((*chosen, *chosen_targets)) if name in apart]:
        raise DataError(f"the column {both[0]!r} cannot be the series id or the time and a value")

    axis, begins = None, grouped.begins
    if found:
        axis, begins = _split_at_gaps(table, found, grouped, notes)
    read = read_values(table, chosen, chosen_targets, grouped.rows, begins, missing, role)
    notes += read.notes
    unused = [n for n in table.columns if n not in {*chosen, *chosen_targets, *apart}]
    if unused and role == "train":
        notes.append(f"columns not used: {listed(unused)}")
    rows = grouped.rows[read.kept.rows]
    return Series(
        features=chosen,
        targets=chosen_targets,
        values=read.values,
        target_values=read.target_values,
        segments=_segments(grouped, read.kept.rows, read.kept.begins),
        time=axis,
        timestamps=Timestamps(table.columns[found.name], rows)
        if found and axis
        else RowNumbers(rows),
        notes=tuple(notes),
    )


def _named(names: Sequence[str] | None) -> Sequence[str]:
    return [names] if isinstance(names, str) else names or []


def _split_at_gaps(
    table: Table, found: TimeColumn, grouped: Grouped, notes: list[str]
) -> tuple[TimeAxis | None, npt.NDArray[np.bool_]]:
    """The axis, and where segments begin: with every series and after every gap."""
    times = found.times.take(grouped.rows)
    steps = find_steps(found.name, times, grouped.begins)
    column = table.columns[found.name]
    if steps.axis is None:
        notes.append(
            f"the time column {found.name!r} has no regular step: its rows are taken as evenly "
            "spaced and named by their number"
        )
        return None, grouped.begins
    name = f"{steps.axis.step} {steps.axis.unit}{'s' if steps.axis.step > 1 else ''}"
    if steps.axis.format == "number":
        name = str(steps.axis.step)
    if len(steps.gaps):
        notes.append(
            f"{counted(len(steps.gaps), 'gap', 'gaps')} in the time column {found.name!r}, whose "
            f"step is {name}; no window crosses: before "
            f"{places(table, grouped.rows[steps.gaps], column)}"
        )
    if len(steps.uneven):
        notes.append(
            f"{counted(len(steps.uneven), 'row', 'rows')} off the step of {name} in the time "
            f"column {found.name!r}, taken as one step on: "
            f"{places(table, grouped.rows[steps.uneven], column)}"
        )
    if steps.holidays:
        notes.append(
            f"{counted(steps.holidays, 'holiday', 'holidays')} in the time column {found.name!r}, "
            f"up to {LONGEST_HOLIDAY} business days in a row: windows run across"
        )
    begins = grouped.begins.copy()
    begins[steps.gaps] = True
    return steps.axis, begins


def _segments(
    grouped: Grouped, rows: npt.NDArray[np.int64], begins: npt.NDArray[np.bool_]
) -> tuple[Segment, ...]:
    starts = np.flatnonzero(begins)
    stops = [*starts[1:].tolist(), len(rows)]
    names = grouped.names_at(rows[starts])
    return tuple(
        Segment(name, start, stop)
        for name, start, stop in zip(names, starts.tolist(), stops, strict=True)
    )
