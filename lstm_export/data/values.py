"""The numbers of the columns in use, checked, with missing values dealt with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lstm_export.data.columns import existing
from lstm_export.data.missing import Flags, Kept, Missing, Values, interpolate, keep_complete
from lstm_export.data.numbers import Numbers
from lstm_export.data.places import counted, places
from lstm_export.data.rows import is_identity
from lstm_export.data.table import Table
from lstm_export.errors import DataError

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Read:
    """The kept rows: (rows, features) and (rows, targets)."""

    values: Values
    target_values: Values
    kept: Kept
    notes: list[str]


def read_values(
    table: Table,
    features: Sequence[str],
    targets: Sequence[str],
    rows: Rows,
    begins: Flags,
    missing: Missing,
    role: Literal["train", "predict"],
    *,
    consequence: str = "which no window crosses",
) -> Read:
    """The columns in use, in the order of `rows`, where segments begin as `begins` says.

    For training no value may be missing in a feature or a target; for predicting, in a feature.
    The note on rows that are left out says `consequence` of them. Raises DataError that lists
    every column with cells that cannot be used.
    """
    existing(table, features, "feature")
    required = list(dict.fromkeys(features if role == "predict" else (*features, *targets)))
    optional = [name for name in targets if name not in required and name in table.columns]
    columns = {name: table.columns[name].numbers() for name in (*required, *optional)}
    check_cells(table, columns)
    # (rows, required), in place of the columns: for millions of rows one copy is enough.
    used = np.column_stack([columns[name].values for name in required])
    truth = {name: columns[name].values for name in optional}
    del columns
    if missing == "error":
        _check_complete(table, required, used)
    if not is_identity(rows):
        used = used[rows]
    filled = interpolate(used, begins) if missing == "interpolate" else used
    kept = keep_complete(filled, begins)
    if not len(kept.rows):
        raise DataError(f"{table.name}: no row is complete in {', '.join(required)}")
    notes = _notes(table, used, filled, rows, missing, consequence)
    values = filled if len(kept.rows) == len(rows) else filled[kept.rows]
    known = {name: values[:, i] for i, name in enumerate(required)}
    known |= {name: column[rows[kept.rows]] for name, column in truth.items()}
    known |= {name: np.full(len(values), np.nan) for name in targets if name not in known}
    return Read(
        values=_columns(values, [required.index(name) for name in features]),
        target_values=(
            _columns(values, [required.index(name) for name in targets])
            if set(targets) <= set(required)
            else np.column_stack([known[name] for name in targets])
        ),
        kept=kept,
        notes=notes,
    )


def check_cells(table: Table, columns: Mapping[str, Numbers]) -> None:
    """Raises DataError that lists every cell that is neither a finite number nor missing."""
    problems = [
        f"the column {name!r} has {counted(len(rows), *what)}: "
        f"{places(table, rows, table.columns[name])}"
        for name, numbers in columns.items()
        for what, rows in (
            (("cell that is not a number", "cells that are not numbers"), numbers.unreadable),
            (("infinite value", "infinite values"), np.flatnonzero(np.isinf(numbers.values))),
        )
        if len(rows)
    ]
    if problems:
        raise DataError(
            f"{table.name}: {'; '.join(problems)}. Correct them, or empty the cells and use "
            "--missing interpolate or --missing drop"
        )


def _check_complete(table: Table, names: Sequence[str], values: Values) -> None:
    absent = np.isnan(values)
    found = [
        f"{int(column.sum())} in the column {name!r} ({places(table, np.flatnonzero(column))})"
        for name, column in zip(names, absent.T, strict=True)
        if column.any()
    ]
    if found:
        raise DataError(
            f"{table.name}: missing values: {'; '.join(found)}. "
            "Use --missing interpolate or --missing drop"
        )


def _columns(values: Values, positions: list[int]) -> Values:
    """Columns of `values`, the array itself where that is all of them in order."""
    if positions == list(range(values.shape[1])):
        return values
    return np.ascontiguousarray(values[:, positions])


def _notes(
    table: Table, used: Values, filled: Values, rows: Rows, missing: Missing, consequence: str
) -> list[str]:
    notes = []
    left_out = np.isnan(filled).any(axis=1)
    drawn = np.isnan(used).any(axis=1) & ~left_out
    if drawn.any():
        where = places(table, np.sort(rows[drawn]))
        notes.append(f"interpolated in {counted(int(drawn.sum()), 'row', 'rows')}: {where}")
    if left_out.any():
        why = " (at an end, or in a long run)" if missing == "interpolate" else ""
        notes.append(
            f"left out for missing values{why}: {counted(int(left_out.sum()), 'row', 'rows')}, "
            f"{consequence}: {places(table, np.sort(rows[left_out]))}"
        )
    return notes
