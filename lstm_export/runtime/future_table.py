"""A table of what is known of the future: the rows after each series, columns found by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import Forecast
from lstm_export.data.rows import group_by_series
from lstm_export.data.series import Segment, Series
from lstm_export.data.table import Table
from lstm_export.data.time import continue_times
from lstm_export.data.values import read_values
from lstm_export.errors import DataError, OptionError

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array


def future_of(
    terms: Forecast,
    table: Table,
    series: Series,
    ends: Sequence[Segment],
    series_id: str | None = None,
) -> Mapping[str, Array]:
    """The known features in `table` by name, each (series, rows), in the order of `ends`.

    `ends` are the ends of the histories, one per series; the rows of each series in `table` are
    those that follow, in order. Where the table has the time column, its times must continue the
    history's. Raises DataError naming what does not fit, OptionError where the model has no use
    for it.
    """
    names = [column.name for column in terms.known]
    if terms.window.horizon > 1 or not names:
        reason = "predicts all of its features" if not names else "predicts its steps at once"
        raise OptionError(f"--future {table.name}: the model {reason}: leave out --future")
    grouped = group_by_series(table, series_id)
    read = read_values(table, names, (), grouped.rows, grouped.begins, "error", "predict")
    starts = np.flatnonzero(grouped.begins).tolist()
    stops = [*starts[1:], len(grouped.rows)]
    labels = grouped.names_at(np.array(starts, np.int64))
    spans = dict(zip(labels, zip(starts, stops, strict=True), strict=True))
    if lacking := [end.series for end in ends if end.series not in spans]:
        raise DataError(f"{table.name} has no future rows for the series {', '.join(lacking[:5])}")
    counts = {stop - start for start, stop in (spans[end.series] for end in ends)}
    if len(counts) > 1:
        raise DataError(
            f"{table.name} has from {min(counts)} to {max(counts)} rows for a series: give as "
            "many for each"
        )
    for end in ends:
        start, stop = spans[end.series]
        _require_continuation(table, series, end, grouped.rows[start:stop])
    parts = [read.values[slice(*spans[end.series])] for end in ends]
    return {name: np.stack([part[:, i] for part in parts]) for i, name in enumerate(names)}


def _require_continuation(table: Table, series: Series, end: Segment, rows: Array) -> None:
    """Rows of other times than those after the history would give numbers for the wrong days."""
    axis = series.time
    if axis is None or axis.column not in table.columns:
        return
    column, last = table.columns[axis.column], series.timestamps[end.stop - 1]
    for row, expected in zip(rows.tolist(), continue_times(axis, last, len(rows)), strict=True):
        found = column.cell(row)
        if found != expected and not (axis.format == "number" and _same(found, expected)):
            raise DataError(
                f"{table.name}, {table.place(row)}: expected {expected} in the column "
                f"{axis.column!r}, the rows after {last} one by one, got {found!r}"
            )


def _same(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False
