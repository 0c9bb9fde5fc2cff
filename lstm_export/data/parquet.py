"""Parquet files as tables, by polars."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.data.table import SEPARATOR, Column, NumberColumn, Table, TextColumn
from lstm_export.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    import polars as pl

MAGIC = b"PAR1"
"""The first bytes of every Parquet file."""

_EXACT = 2**53
"""Beyond this a float64 does not hold every integer."""


def read_parquet(name: str, content: bytes, sha256: str) -> Table:
    """The table in a Parquet file. Raises DataError, or MissingExtraError without polars."""
    try:
        import polars as pl
    except ImportError:
        raise MissingExtraError("polars", "tables", f"reading the Parquet file {name}") from None
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{name} is a damaged Parquet file: {str(error).splitlines()[0]}") from None
    if not frame.height:
        raise DataError(f"{name} has columns but no rows")
    columns = {series.name: _column(name, series) for series in frame}
    return Table(name, columns, frame.height, sha256, lines=None)


def _column(file: str, series: pl.Series) -> Column:
    import polars as pl

    kind = series.dtype
    if kind.is_integer() or kind.is_float() or isinstance(kind, pl.Decimal):
        integers = kind.is_integer()
        if not (integers and _too_large(series)):
            values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
            return NumberColumn(np.array(values, dtype=np.float64), integers=integers)
    if isinstance(kind, pl.Datetime):
        fraction = "%.6f" if (series.dt.microsecond() != 0).any() else ""
        zone = "%:z" if kind.time_zone else ""
        text = series.dt.to_string(f"%Y-%m-%dT%H:%M:%S{fraction}{zone}")
    elif kind.is_nested() or isinstance(kind, pl.Binary):
        raise DataError(f"{file}: the column {series.name!r} holds {kind}, expected plain values")
    else:
        text = series.cast(pl.String)
    cells = [cell.replace(SEPARATOR, " ") for cell in text.fill_null("").to_list()]
    return TextColumn([SEPARATOR.join(cells)], [len(cells)])


def _too_large(series: pl.Series) -> bool:
    low, high = series.min(), series.max()
    return isinstance(low, int) and isinstance(high, int) and max(-low, high) > _EXACT
