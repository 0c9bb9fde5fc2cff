"""Wide tables: a row per sequence, a column per step of one feature."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lstm_export.data.columns import existing
from lstm_export.data.missing import Missing, interpolate, keep_complete
from lstm_export.data.numbers import is_missing
from lstm_export.data.places import SHOWN, counted, listed, places
from lstm_export.data.sequences.answers import Role, Task, cells, read_labels, read_numbers
from lstm_export.data.sequences.mistaken import refuse_long
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.table import Table
from lstm_export.data.values import check_cells
from lstm_export.errors import DataError

FEATURE = "value"
"""The one feature of a wide table: its columns are steps."""

_ID = re.compile(r"(?:.*[ _])?(?:id|index|case|series|sequence|row|name)", re.IGNORECASE)

Rows = npt.NDArray[np.int64]


def read_wide(
    table: Table,
    task: Task,
    answer: tuple[str, ...],
    features: Sequence[str] | None,
    missing: Missing,
    role: Role,
) -> SequenceSet:
    """A sequence per row: its cells in `features`, or in every column of numbers but `answer`.

    Empty cells at the end of a row make its sequence shorter. A column called like an id names the
    sequences and is no step. Raises DataError for cells that cannot be used, for a row without a
    value, and for what looks like a long table.
    """
    if features is None:
        refuse_long(table, answer, role)
    steps, id_column, notes = _steps(table, answer, features, role)
    columns = {name: table.columns[name].numbers() for name in steps}
    check_cells(table, columns)
    grid = np.column_stack([column.values for column in columns.values()])
    known = ~np.isnan(grid)
    lengths = np.where(known.any(axis=1), len(steps) - np.argmax(known[:, ::-1], axis=1), 0)
    if not lengths.all():
        empty = np.flatnonzero(lengths == 0)
        raise DataError(
            f"{table.name}: {counted(len(empty), 'row has', 'rows have')} no value in "
            f"{listed(steps, 5)}: {places(table, empty)}. Leave these rows out of the file"
        )
    within = np.arange(len(steps)) < lengths[:, np.newaxis]
    row, step = np.nonzero(within)
    values = grid[within][:, np.newaxis]
    absent = np.flatnonzero(np.isnan(values[:, 0]))
    if len(absent) and missing == "error":
        raise DataError(
            f"{table.name}: {counted(len(absent), 'missing value', 'missing values')} before the "
            f"end of a row: {_cells(table, row[absent], steps, step[absent])}. "
            "Use --missing interpolate or --missing drop"
        )
    begins = np.diff(row, prepend=-1) > 0
    filled = interpolate(values, begins) if missing == "interpolate" else values
    kept = keep_complete(filled, begins).rows
    notes += _missing_notes(table, row, steps, step, absent, np.isnan(filled[absent, 0]))
    labels, numbers = _answers(table, task, answer, role)
    return SequenceSet(
        names=_names(table, id_column),
        values=filled[kept],
        texts=None,
        starts=np.searchsorted(row[kept], np.arange(table.rows + 1)).astype(np.int64),
        features=(FEATURE,),
        answer=answer if labels is not None or numbers is not None else (),
        labels=labels,
        numbers=numbers,
        notes=tuple(notes),
    )


def _steps(
    table: Table, answer: tuple[str, ...], features: Sequence[str] | None, role: Role
) -> tuple[list[str], str | None, list[str]]:
    """The columns of steps, the column that names the sequences, and notes."""
    ids = [
        name
        for name in table.columns
        if _ID.fullmatch(name) and name not in {*answer, *(features or ())}
    ]
    id_column = ids[0] if ids else None
    if features is not None:
        return list(existing(table, features, "feature")), id_column, []
    apart = {*answer, *ids}
    numeric = [name for name in table.columns if name not in apart and _holds_numbers(table, name)]
    if not numeric:
        beside = listed(list(apart)) or "no target"
        raise DataError(
            f"{table.name}: beside {beside} there is no column of numbers: "
            "expected one column per step, or name a column of texts with --text"
        )
    # An empty column between others is a step that no row has; where it stands, it must count.
    last = list(table.columns).index(numeric[-1])
    steps = [
        name
        for i, name in enumerate(table.columns)
        if name in numeric or (i < last and name not in apart and _is_empty(table, name))
    ]
    unused = [name for name in table.columns if name not in {*steps, *answer, id_column}]
    if role == "predict":  # whatever else is a column of numbers here would be one of them
        count = counted(len(steps), "column", "columns")
        return steps, id_column, [f"read as the steps of a sequence: {count}: {listed(steps)}"]
    if role == "test":
        return steps, id_column, []
    notes = [f"columns not used: {listed(unused)}"] if unused else []
    if id_column in table.numeric:
        notes.append(f"the column {id_column!r} is called like an id and is not taken as a step")
    return steps, id_column, notes


def _holds_numbers(table: Table, name: str) -> bool:
    """Whether any cell is a number: one that is not, in such a column, is an error further on."""
    return name in table.numeric or bool(np.isfinite(table.columns[name].numbers().values).any())


def _is_empty(table: Table, name: str) -> bool:
    return all(is_missing(cell) for cell in cells(table.columns[name]))


def _names(table: Table, id_column: str | None) -> tuple[str, ...]:
    """The cells of the id column where they tell all rows apart, else the rows' places."""
    if id_column is not None:
        names = [cell.strip() for cell in cells(table.columns[id_column])]
        if all(names) and len(set(names)) == len(names):
            return tuple(names)
    return tuple(table.place(row) for row in range(table.rows))


def _answers(
    table: Table, task: Task, answer: tuple[str, ...], role: Role
) -> tuple[tuple[str, ...] | None, npt.NDArray[np.float64] | None]:
    if not answer:
        return None, None
    if task == "regress":
        return None, read_numbers(table, answer, role)
    labels = read_labels(table, answer[0], role)
    return None if labels is None else tuple(labels), None


def _missing_notes(
    table: Table, row: Rows, steps: list[str], step: Rows, absent: Rows, left: npt.NDArray[np.bool_]
) -> list[str]:
    notes = []
    for what, found in (
        ("interpolated", absent[~left]),
        ("left out as missing, and their sequences go on without them", absent[left]),
    ):
        if len(found):
            where = _cells(table, row[found], steps, step[found])
            notes.append(f"{what}: {counted(len(found), 'value', 'values')}: {where}")
    return notes


def _cells(table: Table, row: Rows, steps: list[str], step: Rows) -> str:
    shown = [
        f"{table.place(i)} in {steps[k]!r}"
        for i, k in zip(row[:SHOWN].tolist(), step[:SHOWN].tolist(), strict=True)
    ]
    return ", ".join(shown) + (", …" if len(row) > SHOWN else "")
