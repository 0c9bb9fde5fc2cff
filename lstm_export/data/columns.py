"""Which columns of a table are targets, which are features."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Literal

from lstm_export.data.numbers import is_missing, is_number
from lstm_export.data.places import SHOWN, clip, listed
from lstm_export.data.table import SEPARATOR, Table
from lstm_export.errors import DataError

ALL: Literal["all"] = "all"
"""In place of a list of features: every numeric column."""


def existing(table: Table, names: Sequence[str], role: str) -> tuple[str, ...]:
    """`names`, each a column of `table`. Raises DataError naming every one that is not."""
    unknown = [name for name in names if name not in table.columns]
    if unknown:
        raise DataError(
            "; ".join(
                f"{table.name} has no column {name!r}{_nearest(table, name)}" for name in unknown
            )
            + f" (asked for as {role}). Its columns are {listed(list(table.columns))}"
        )
    if twice := [name for name in dict.fromkeys(names) if list(names).count(name) > 1]:
        raise DataError(f"{role}: {listed(twice)} is named more than once")
    return tuple(names)


def choose_targets(table: Table, targets: Sequence[str] | None, apart: set[str]) -> tuple[str, ...]:
    """The targets: as named, else the only numeric column that is not set `apart`."""
    if targets:
        return existing(table, targets, "target")
    candidates = [name for name in table.numeric if name not in apart]
    if len(candidates) == 1:
        return tuple(candidates)
    if candidates:
        raise DataError(
            f"{table.name} has several numeric columns: {listed(candidates)}. "
            "Choose what to predict with --target"
        )
    others = [name for name in table.columns if name not in apart]
    examples = [f"{name!r}: {why_not_numbers(table, name)}" for name in others[:SHOWN]]
    raise DataError(
        f"{table.name} has no numeric column to predict"
        + (f" ({'; '.join(examples)})" if examples else "")
    )


def choose_features(
    table: Table, features: Sequence[str] | None, targets: tuple[str, ...], apart: set[str]
) -> tuple[str, ...]:
    """The features: as named, the targets where none are, or with "all" every numeric column that
    is not set `apart`."""
    if features is None or not len(features):
        return targets
    if features == ALL or (list(features) == [ALL] and ALL not in table.columns):
        return tuple(name for name in table.numeric if name not in apart)
    if isinstance(features, str):
        features = [features]
    return existing(table, features, "feature")


def why_not_numbers(table: Table, name: str) -> str:
    """The first cells of a column that are neither numbers nor missing, or that all are missing."""
    column = table.columns[name]
    row, found = 0, []
    for block in column.blocks():
        for cell in block.split(SEPARATOR):
            if not is_number(cell) and not is_missing(cell):
                found.append(f"{clip(cell)} at {table.place(row)}")
                if len(found) == 3:
                    return ", ".join(found)
            row += 1
    return ", ".join(found) or "every cell is missing"


def _nearest(table: Table, name: str) -> str:
    by_lower = {column.lower(): column for column in table.columns}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""
