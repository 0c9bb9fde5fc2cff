"""Rows of a table as a message names them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lstm_export.data.table import Column, Table

SHOWN = 5
"""Places that a message names; the rest are counted."""


def places(table: Table, rows: npt.NDArray[np.int64], column: Column | None = None) -> str:
    """The first of `rows`, each with its cell of `column`: "line 3 ('x'), line 9 ('y'), …"."""
    shown = [
        table.place(row) + (f" ({clip(column.cell(row))})" if column is not None else "")
        for row in rows[:SHOWN].tolist()
    ]
    return ", ".join(shown) + (", …" if len(rows) > SHOWN else "")


def clip(cell: str) -> str:
    """`cell` quoted, cut to what fits in a message."""
    return repr(cell if len(cell) <= 40 else cell[:39] + "…")


def listed(names: Sequence[str], most: int = 20) -> str:
    """Column names as a message lists them."""
    return ", ".join(names[:most]) + (f", … ({len(names)} in all)" if len(names) > most else "")


def counted(count: int, one: str, many: str) -> str:
    """The count and what is counted: 1 row, 1,204 rows."""
    return f"{count:,} {one if count == 1 else many}"
