"""Tables out: CSV with the standard library, Parquet with polars."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from lstm_export.errors import MissingExtraError, OptionError
from lstm_export.files import refuse_existing, write_atomic

_PARQUET = (".parquet", ".pq")


def csv_text(columns: Mapping[str, Sequence[object]]) -> str:
    """`columns`, all equally long, as CSV: LF line ends, None empty, floats as short as they
    read back exactly."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue()


def write_table(path: Path, columns: Mapping[str, Sequence[object]], *, force: bool) -> None:
    """Writes `columns` to `path`, whole or not at all: Parquet or CSV by the suffix.

    Raises OutputError if `path` exists and `force` is not given, or cannot be written;
    OptionError for another suffix; MissingExtraError for Parquet where polars is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", *_PARQUET):
        raise OptionError(f"{path}: expected a name that ends in .csv or .parquet, got {suffix!r}")
    refuse_existing(path, force=force)
    content = csv_text(columns) if suffix == ".csv" else _parquet(columns)
    write_atomic(path, content)


def _parquet(columns: Mapping[str, Sequence[object]]) -> bytes:
    try:
        import polars as pl
    except ImportError:
        raise MissingExtraError("polars", "tables", "writing a Parquet file") from None
    stream = io.BytesIO()
    pl.DataFrame({name: list(column) for name, column in columns.items()}).write_parquet(stream)
    return stream.getvalue()
