"""What looks like a long table, before it is read as a wide one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_export.data.sequences.answers import Role, cells
from lstm_export.data.table import Table
from lstm_export.data.time_column import called_like_a_time
from lstm_export.errors import DataError

_OTHERWISE = {
    "train": "; if each row is a sequence, name the columns of its steps with --features",
    "predict": ", or give a table with a sequence in each row, as the model was trained on",
}


def refuse_long(table: Table, answer: tuple[str, ...], role: Role) -> None:
    """Raises DataError, naming the likely id, if a column of `table` counts the steps of sequences
    that stand one below the other, or in each other's midst.

    Such a column is called like a time. It goes up by the same step from row to row, but for
    starting over; or another column has one row for each of its values, and one answer.
    """
    times = [name for name in table.numeric if name not in answer and called_like_a_time(name)]
    if len(times) > 2:
        return  # a wide table whose steps are called day 1, day 2, …
    for name in times:
        values = table.columns[name].numbers().values
        starts = _starts(values)
        others = [column for column in table.columns if column not in {name, *answer}]
        likely = [column for column in others if _tells_apart(table, column, name, answer)]
        if starts is None and not likely:
            continue
        again = "counts the rows" if starts is not None and starts.sum() == 1 else "starts over"
        raise DataError(
            f"{table.name} looks like a long table, a row per step: its column {name!r} {again}. "
            "Name the column that tells the sequences apart with --series-id"
            + (f" (perhaps {likely[0]!r})" if likely else "")
            + _OTHERWISE["predict" if role == "predict" else "train"]
        )


def _starts(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_] | None:
    """Where a count begins again, (rows,); None if `values` do not count."""
    steps = np.diff(values)
    up = steps[steps > 0]
    if len(values) < 3 or 2 * len(up) < len(steps) or (up != up[0]).any() or not steps.all():
        return None
    return None if np.isnan(values).any() else np.concatenate([[True], steps < 0])


def _tells_apart(table: Table, name: str, time: str, answer: tuple[str, ...]) -> bool:
    """Whether the column `name` may be the id of sequences with the time column `time`: its cells
    come back, each with another time and always with one answer."""
    ids, times, *answers = (cells(table.columns[one]) for one in (name, time, *answer))
    different = len(set(ids))
    return (
        2 * different <= len(ids)
        and len(set(times)) < len(times)
        and len(set(zip(ids, times, strict=True))) == len(ids)
        and len(set(zip(ids, *answers, strict=True))) == different
    )
