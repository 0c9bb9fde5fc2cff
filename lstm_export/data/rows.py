"""The rows of a table, series by series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_export.data.numbers import BLANKS, is_missing
from lstm_export.data.places import counted, places
from lstm_export.data.table import SEPARATOR, Table
from lstm_export.errors import DataError


@dataclass(frozen=True, slots=True)
class Grouped:
    """The order in which a table's rows stand series by series; the file's order within each."""

    rows: npt.NDArray[np.int64]
    begins: npt.NDArray[np.bool_]
    """True where a series begins."""
    names: Sequence[str]
    """Of the series, in the order in which they stand."""

    def names_at(self, positions: npt.NDArray[np.int64]) -> list[str]:
        """The names of the series that stand at `positions`."""
        first = np.flatnonzero(self.begins)
        return [self.names[i - 1] for i in np.searchsorted(first, positions, side="right").tolist()]


def group_by_series(table: Table, series_id: str | None) -> Grouped:
    """The rows of `table` by the cells of `series_id`, in the order in which these first appear.

    Without `series_id` all rows are one series with an empty name. Raises DataError if a cell of
    the column is missing.
    """
    begins = np.zeros(table.rows, dtype=np.bool_)
    begins[:1] = True
    if series_id is None:
        return Grouped(np.arange(table.rows), begins, [""])
    column = table.columns[series_id]
    codes: dict[str, int] = {}
    series = np.empty(table.rows, dtype=np.int64)
    start = 0
    for block in column.blocks():
        cells = block.split(SEPARATOR)
        series[start : start + len(cells)] = [
            codes.setdefault(cell.strip(BLANKS), len(codes)) for cell in cells
        ]
        start += len(cells)
    nameless = [code for name, code in codes.items() if is_missing(name)]
    if nameless:
        rows = np.flatnonzero(np.isin(series, nameless))
        raise DataError(
            f"{table.name}: no series is named in the column {series_id!r} in "
            f"{counted(len(rows), 'row', 'rows')}: {places(table, rows)}. Fill them in, or leave "
            "these rows out of the file"
        )
    rows = np.argsort(series, kind="stable")
    begins[1:] = np.diff(series[rows]) != 0
    return Grouped(rows, begins, list(codes))


def is_identity(rows: npt.NDArray[np.int64]) -> bool:
    """Whether `rows`, all the rows of a table in some order, stand in the file's own."""
    return bool((rows[1:] > rows[:-1]).all())
