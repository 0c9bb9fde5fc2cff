"""CSV files as tables.

A file without quotes, which is nearly every large one, is cut at its lines and columns by polars
where that is installed, else by Python; the csv module reads files with quotes, whose records may
run over several lines. All give the same table and the same errors.
"""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import io
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from lstm_export.data.numbers import BLANKS, is_number
from lstm_export.data.places import counted
from lstm_export.data.table import SEPARATOR, Table, TextColumn
from lstm_export.errors import DataError

DELIMITERS = (",", ";", "\t")
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab"}

_BLOCK = 1 << 20
"""Bytes that are cut into cells at a time; what is cut is packed before the next block."""
_ROWS = 1 << 14
"""Rows with quotes that are packed at a time."""
_POLARS_FROM = 1 << 22
"""Bytes from which on it pays to import polars."""

_BINARY = {
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"PK\x03\x04": "a zip archive or an Excel workbook: save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV",
}


def read_csv(name: str, content: bytes, sha256: str) -> Table:
    """The table in a CSV file: UTF-8, or UTF-16 with a byte order mark; names on the first line.

    Fields are separated by commas, semicolons or tabs. Empty lines at the end are ignored; every
    other line has as many fields as the first. Raises DataError naming the line.
    """
    content = _normalised(name, content)
    if not content.strip():
        raise DataError(f"{name} is empty: expected a line of column names and lines of values")
    quoted = b'"' in content
    head = content.decode() if quoted else b"\n".join(content.split(b"\n", 2)[:2]).decode()
    header, delimiter = _header(name, head)
    if quoted:
        lines, columns = _read_quoted(name, head, delimiter, len(header))
    else:
        lines, columns = _read_plain(name, content, delimiter, len(header))
    if not len(lines):
        raise DataError(f"{name} has column names ({', '.join(header)}) but no rows below them")
    return Table(name, dict(zip(header, columns, strict=True)), len(lines), sha256, lines)


def _normalised(name: str, content: bytes) -> bytes:
    """`content` as UTF-8 with LF line ends, no byte order mark, no empty lines at its end."""
    for magic, what in _BINARY.items():
        if content.startswith(magic):
            raise DataError(f"{name} is {what}")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            content = content.decode("utf-16").encode()
        except UnicodeError as error:
            raise DataError(f"{name} starts as UTF-16 but is damaged: {error}") from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    if (nul := content.find(b"\0")) >= 0:
        raise DataError(f"{name} is a binary file (a NUL at byte {nul}), expected a CSV as text")
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n")
    try:
        if not content.isascii():
            content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}, line {line}: the byte 0x{content[error.start]:02X} is not UTF-8: "
            "save the file as UTF-8"
        ) from None
    return content


def _header(name: str, head: str) -> tuple[list[str], str]:
    """The column names and the delimiter, from text that begins with the header.

    The delimiter is the one that gives most names; between equals, the one that cuts the next
    line into as many fields.
    """
    cuts: dict[str, list[list[str]]] = {}
    for delimiter in DELIMITERS:
        with _csv_errors(name):
            reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
            cuts[delimiter] = list(islice(reader, 2))

    def fit(delimiter: str) -> tuple[int, bool]:
        first, *rest = cuts[delimiter]
        return len(first), bool(rest) and len(rest[0]) == len(first)

    delimiter = max(DELIMITERS, key=fit)
    names = [cell.strip(BLANKS) for cell in cuts[delimiter][0]] or [""]
    empty = [str(i) for i, column in enumerate(names, start=1) if not column]
    twice = [column for column, count in Counter(names).items() if count > 1]
    if empty:
        raise DataError(
            f"{name}, line 1: {len(names)} columns, separated by {_NAMES[delimiter]}, but no name "
            f"for column {', '.join(empty)}: every column needs a name (pandas leaves out "
            "its index's: write with index=False)"
        )
    if twice:
        raise DataError(f"{name}, line 1: more than one column is named {' and '.join(twice)}")
    if all(is_number(column) for column in names):
        raise DataError(
            f"{name}, line 1: expected column names, found numbers ({', '.join(names[:5])}): "
            "add a line with the names of the columns"
        )
    return names, delimiter


def _read_plain(
    name: str, content: bytes, delimiter: str, width: int
) -> tuple[Sequence[int], list[TextColumn]]:
    """The rows of a file without quotes, where every line is one row."""
    cut = _cutter(len(content), delimiter, width)
    packed: list[list[str]] = [[] for _ in range(width)]
    counts: list[int] = []
    ragged: list[tuple[int, int]] = []
    line = 2
    for text in _blocks(content, content.find(b"\n") + 1):
        rows = text.split("\n")
        if width > 1:
            for number, row in enumerate(rows, start=line):
                if row.count(delimiter) + 1 != width:
                    ragged.append((number, row.count(delimiter) + 1 if row else 0))
        if not ragged:
            for blocks, cells in zip(packed, cut(text), strict=True):
                blocks.append(cells)
        counts.append(len(rows))
        line += len(rows)
    if ragged:
        raise _ragged_error(name, width, delimiter, ragged)
    return range(2, line), [TextColumn(blocks, counts) for blocks in packed]


def _blocks(content: bytes, start: int) -> Iterator[str]:
    """Whole lines from byte `start` on, without the last line end, about `_BLOCK` at a time."""
    while 0 < start < len(content):
        end = content.find(b"\n", start + _BLOCK)
        end = len(content) if end < 0 else end
        yield content[start:end].decode()
        start = end + 1


def _cutter(size: int, delimiter: str, width: int) -> Callable[[str], Sequence[str]]:
    """What cuts lines of `width` fields, checked before, into one packed block per column."""
    if width == 1:
        return lambda text: [text.replace("\n", SEPARATOR)]
    if size < _POLARS_FROM or importlib.util.find_spec("polars") is None:
        return lambda text: [
            SEPARATOR.join(cells)
            for cells in zip(*(row.split(delimiter) for row in text.split("\n")), strict=True)
        ]
    import polars as pl

    def cut(text: str) -> Sequence[str]:
        frame = pl.read_csv(
            text.encode(),
            has_header=False,
            separator=delimiter,
            quote_char=None,
            infer_schema=False,
        )
        joined = pl.all().fill_null("").str.join(SEPARATOR)
        return [str(cells) for cells in frame.select(joined).row(0)]

    return cut


def _read_quoted(
    name: str, text: str, delimiter: str, width: int
) -> tuple[Sequence[int], list[TextColumn]]:
    """The rows of a file with quotes, whose rows may run over several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    packed: list[list[str]] = [[] for _ in range(width)]
    counts: list[int] = []
    ragged: list[tuple[int, int]] = []
    lines = array("q")
    rows: list[list[str]] = []

    def pack() -> None:
        counts.append(len(rows))
        for blocks, cells in zip(packed, zip(*rows, strict=True), strict=True):
            blocks.append(SEPARATOR.join(cells))
        rows.clear()

    with _csv_errors(name):
        next(reader)
        lines.append(reader.line_num + 1)
        for row in reader:
            # The csv module makes nothing of an empty line: in one column, a missing cell.
            fields = [""] if width == 1 and not row else row
            if len(fields) == width:
                rows.append(fields)
            else:
                ragged.append((lines[-1], len(fields)))
            if len(rows) == _ROWS:
                pack()
            lines.append(reader.line_num + 1)
    if rows:
        pack()
    if ragged:
        raise _ragged_error(name, width, delimiter, ragged)
    return lines[:-1], [TextColumn(blocks, counts) for blocks in packed]


def _ragged_error(
    name: str, width: int, delimiter: str, ragged: list[tuple[int, int]]
) -> DataError:
    line, found = ragged[0]
    what = f"{found} fields" if found > 1 else "one field" if found else "nothing at all"
    more = counted(len(ragged) - 1, "more line does", "more lines do")
    others = f" ({more} not fit either)" if len(ragged) > 1 else ""
    return DataError(
        f"{name}, line {line}: expected {width} fields, as the first line has {width} column "
        f"names, found {what}{others}. Fields are separated by {_NAMES[delimiter]}; "
        "correct the header or the line"
    )


_CSV_REASONS = {"unexpected end of data": 'a quoted cell is never closed: look for a lone "'}


@contextlib.contextmanager
def _csv_errors(name: str) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        raise DataError(f"{name}: {_CSV_REASONS.get(str(error), error)}") from None
