"""What looks like a long table, before it is read as a wide one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_export.data.sequences.answers import cells
from lstm_export.data.table import Table
from lstm_export.data.time_column import called_like_a_time
from lstm_export.errors import DataError


def refuse_long(table: Table, answer: tuple[str, ...]) -> None:
    """Raises DataError, naming the likely id, if a column of `table` counts the steps of sequences
    that stand one below the other.

    It is called like a time and goes up by one step from row to row, but for starting over; the
    answer (unless every row has its own) stays as it is in between.
    """
    for name in table.numeric:
        if name in answer or not called_like_a_time(name):
            continue
        values = table.columns[name].numbers().values
        starts = _starts(values)
        if starts is None or not all(_constant(table, column, starts) for column in answer):
            continue
        likely = [
            column
            for column in table.columns
            if column not in {name, *answer} and _tells_apart(table, column, starts)
        ]
        again = "starts over" if starts.sum() > 1 else "counts the rows"
        raise DataError(
            f"{table.name} looks like a long table, a row per step: its column {name!r} {again}. "
            "Name the column that tells the sequences apart with --series-id"
            + (f" (perhaps {likely[0]!r})" if likely else "")
            + "; if each row is a sequence, name the columns of its steps with --features"
        )


def _starts(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_] | None:
    """Where a count begins again, (rows,); None if `values` do not count."""
    steps = np.diff(values)
    up = steps[steps > 0]
    if len(values) < 3 or 2 * len(up) < len(steps) or (up != up[0]).any() or (steps == 0).any():
        return None
    if np.isnan(values).any():
        return None
    return np.concatenate([[True], steps < 0])


def _constant(table: Table, name: str, starts: npt.NDArray[np.bool_]) -> bool:
    """Whether the cells change where `starts` is True, and at one other row in ten at the most."""
    column = np.array(cells(table.columns[name]), dtype=object)
    inner = ~starts[1:]
    return bool(np.mean((column[1:] != column[:-1])[inner]) <= 0.1)


def _tells_apart(table: Table, name: str, starts: npt.NDArray[np.bool_]) -> bool:
    """Whether the cells change exactly where `starts` is True."""
    column = np.array(cells(table.columns[name]), dtype=object)
    return bool(np.array_equal(column[1:] != column[:-1], starts[1:])) and starts.sum() > 1
