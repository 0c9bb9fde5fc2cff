"""Lines of text as rows of a series: CSV with or without a header, or JSON, one record a line."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, Literal, NoReturn

import numpy as np

from lstm_export.data.numbers import BLANKS, is_missing, is_number
from lstm_export.errors import DataError, InputError

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.symbols import Symbols

Format = Literal["csv", "ndjson"]

LONGEST = 1 << 20
"""Bytes of a line."""
DELIMITERS = (",", ";", "\t")
_TOO_LARGE = 3.4028235677973366e38
"""From here on a number rounds to infinity in float32."""


class Columns:
    """The columns that are looked for: the model's features, its time, what tells series apart.

    With `symbols` the only feature has one of them on each line, in the place of a number.
    """

    __slots__ = ("features", "series", "symbols", "time")

    def __init__(
        self,
        features: Sequence[str],
        time: str | None,
        series: str | None,
        symbols: Symbols | None = None,
    ) -> None:
        self.features, self.time, self.series = tuple(features), time, series
        self.symbols = symbols

    def values(self, cells: Sequence[object], numbers: Callable[[object, str], float]) -> Array:
        """What one line has for the features: `numbers`, float32 (features,), or an id, int64 ().

        Raises DataError.
        """
        if self.symbols is None:
            pairs = zip(cells, self.features, strict=True)
            return np.array([numbers(cell, name) for cell, name in pairs], np.float32)
        (cell,), (name,) = cells, self.features
        if not isinstance(cell, str):
            _refuse(name, f"expected a {self.symbols.level}, got {repr(cell)[:40]}")
        try:
            return self.symbols.one(cell)
        except InputError as error:
            _refuse(name, str(error))


class Record:
    """One row: `values` as `Columns.values` has them, and its time and series as the line spells
    them."""

    __slots__ = ("series", "time", "values")

    def __init__(self, values: Array, time: object, series: object) -> None:
        self.values, self.time, self.series = values, time, series


def bounded_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """The lines of `stream` as they come, numbered from 1; None for one longer than LONGEST."""
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) <= LONGEST:
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(LONGEST)
        yield number, None


def decoded(line: bytes | None) -> str:
    """A line without its end; empty if it is blank. Raises DataError."""
    if line is None:
        raise DataError(f"longer than {LONGEST} bytes")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"the byte 0x{line[error.start]:02X} is not UTF-8") from None
    text = text.rstrip("\r\n")
    return text if text.strip() else ""


class CsvLines:
    """Reads CSV; the first line may name the columns, in any order, and other columns too."""

    __slots__ = ("_columns", "_delimiter", "_features", "_names", "_series", "_time")

    def __init__(self, columns: Columns, first: str) -> None:
        """`first` is the first line: `has_header` says what it was taken for. Raises DataError."""
        self._columns, self._time, self._series = columns, None, None
        self._delimiter = max(DELIMITERS, key=lambda d: len(_cells(first, d)))
        names = [cell.strip(BLANKS) for cell in _cells(first, self._delimiter)]
        self._names: list[str] | None = None
        self._features = list(range(len(columns.features)))
        values = columns.symbols is not None or all(
            is_number(name) or is_missing(name) for name in names
        )
        if values and not set(columns.features) <= set(names):
            if columns.series is not None:
                found = "numbers" if columns.symbols is None else repr(first[:40])
                raise DataError(f"--id needs a header that names the columns, found {found}")
            return
        wanted = [*columns.features, *([columns.series] if columns.series is not None else [])]
        for name in wanted:
            if names.count(name) != 1:
                what = "no column" if name not in names else "more than one column"
                raise DataError(
                    f"{what} {name!r}; the header is {', '.join(names)}, and the model needs "
                    f"{', '.join(wanted)} (or lines of numbers alone, in this order)"
                )
        self._names = names
        self._features = [names.index(name) for name in columns.features]
        self._time = names.index(columns.time) if columns.time in names else None
        self._series = names.index(columns.series) if columns.series is not None else None

    @property
    def has_header(self) -> bool:
        """Whether the first line named the columns."""
        return self._names is not None

    @property
    def has_time(self) -> bool:
        """Whether there is a time column."""
        return self._time is not None

    def read(self, text: str) -> Record:
        """One line's record. Raises DataError."""
        cells = _cells(text, self._delimiter)
        names = self._names or self._columns.features
        if len(cells) != len(names):
            raise DataError(f"expected {len(names)} fields ({', '.join(names)}), got {len(cells)}")
        values = self._columns.values([cells[i] for i in self._features], _number)
        time = None if self._time is None else cells[self._time]
        series = None if self._series is None else cells[self._series].strip(BLANKS)
        if series == "":
            raise DataError(f"column {self._columns.series!r}: expected a series, got nothing")
        return Record(values, time, series)


class JsonLines:
    """Reads JSON: objects by column name, or arrays of the features in the model's order."""

    __slots__ = ("_columns",)

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def read(self, text: str) -> Record:
        """One line's record. Raises DataError."""
        columns, names = self._columns, self._columns.features
        try:
            body = json.loads(text, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"not JSON: {error}") from None
        if isinstance(body, dict):
            wanted = [*names, *([columns.series] if columns.series is not None else [])]
            for name in wanted:
                if name not in body:
                    raise DataError(
                        f"no {name!r}; the line has {', '.join(body) or 'nothing'}, and the model "
                        f"needs {', '.join(wanted)}"
                    )
            time = None if columns.time is None else body.get(columns.time)
            series = None if columns.series is None else body[columns.series]
            if columns.series is not None and (type(series) not in (str, int) or series == ""):
                raise DataError(f"column {columns.series!r}: expected a series, got {series!r}")
            values = columns.values([body[name] for name in names], _json_number)
            return Record(values, time, series)
        if columns.series is not None:
            raise DataError("--id needs objects by column name")
        if not isinstance(body, list) and len(names) == 1:
            body = [body]
        if not isinstance(body, list) or len(body) != len(names):
            got = f"{len(body)} values" if isinstance(body, list) else repr(body)[:40]
            raise DataError(f"expected an object, or an array of {', '.join(names)}; got {got}")
        return Record(columns.values(body, _json_number), None, None)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    body = dict(pairs)
    if len(body) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"more than one {twice!r}")
    return body


def _cells(text: str, delimiter: str) -> list[str]:
    if '"' not in text:
        return text.split(delimiter)
    try:
        (cells,) = csv.reader([text], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        raise DataError('a quoted cell is not closed on its line: look for a lone "') from None
    return cells


def _number(cell: object, name: str) -> float:
    assert isinstance(cell, str)  # as CSV has it
    if not is_number(cell):
        if is_missing(cell):
            _refuse(name, f"the value is missing ({cell!r})")
        _refuse(name, f"expected a number, got {cell[:40]!r}")
    return _in_range(float(cell), cell.strip(BLANKS), name)


def _json_number(value: object, name: str) -> float:
    if value is None:
        _refuse(name, "the value is missing (null)")
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(name, f"expected a number, got {repr(value)[:40]}")
    try:
        return _in_range(float(value), value, name)
    except OverflowError:
        _refuse(name, "the number is too large for float32")


def _in_range(value: float, spelled: object, name: str) -> float:
    if not math.isfinite(value):
        _refuse(name, f"expected a finite number, got {spelled}")
    if abs(value) >= _TOO_LARGE:
        _refuse(name, f"{spelled} is too large for float32")
    return value


def _refuse(name: str, problem: str) -> NoReturn:
    raise DataError(f"column {name!r}: {problem}")
