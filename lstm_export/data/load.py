"""A table from a file or from an embedded data set."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path

from lstm_export.data.csv_reader import read_csv
from lstm_export.data.embedded import EMBEDDED, known
from lstm_export.data.parquet import MAGIC, read_parquet
from lstm_export.data.table import Table
from lstm_export.errors import DataError

_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")


def load_table(source: str | Path) -> Table:
    """The table that `source` names: an embedded data set, or a CSV or Parquet file.

    The name of an embedded set wins over a file of that name (write `./sunspots` for the file).
    What a file is shows in its content, not in its suffix. Raises DataError, or
    MissingExtraError for a Parquet file where polars is not installed.
    """
    if isinstance(source, str) and (embedded := known(source)):
        text = embedded.csv()
        return read_csv(source, text, hashlib.sha256(text).hexdigest())
    path = Path(source)
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    if content.startswith(MAGIC):
        return read_parquet(str(path), content, digest)
    return read_csv(str(path), content, digest)


def _read(path: Path) -> bytes:
    if path.is_dir():
        tables = sorted(p.name for p in path.iterdir() if p.suffix.lower() in _SUFFIXES)
        found = f"it holds {', '.join(tables[:5])}" if tables else "and no table is in it"
        raise DataError(f"{path} is a folder, expected a CSV or Parquet file: {found}")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist{_nearest(path)}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read {path}: {reason}") from None


def _nearest(path: Path) -> str:
    try:
        names = [p.name for p in path.parent.iterdir()]
    except OSError:
        names = []
    embedded = [name for name in EMBEDDED if path.parent == Path()]
    close = difflib.get_close_matches(path.name, [*embedded, *names], n=1)
    if close and close[0] in embedded:
        return f"; did you mean the embedded data set {close[0]}?"
    if close:
        return f"; did you mean {path.with_name(close[0])}?"
    return f"; give a CSV or Parquet file, or an embedded data set ({', '.join(EMBEDDED)})"
