"""Reading CSV: with polars and without it, the same table or the same error."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.data import csv_reader
from lstm_export.data.csv_reader import read_csv
from lstm_export.data.table import SEPARATOR, Table
from lstm_export.errors import DataError

SMALL_BLOCKS = mock.patch.multiple(csv_reader, _BLOCK=16, _ROWS=3)
POLARS_ALWAYS = mock.patch.multiple(csv_reader, _POLARS_FROM=0)
POLARS_NEVER = mock.patch.multiple(csv_reader, _POLARS_FROM=1 << 60)


def read(content: bytes) -> Table:
    return read_csv("t.csv", content, "0" * 64)


def cells(table: Table) -> dict[str, list[str]]:
    found = {}
    for name, column in table.columns.items():
        found[name] = [cell for block in column.blocks() for cell in block.split(SEPARATOR)]
        assert found[name] == [column.cell(row) for row in range(table.rows)]
    return found


def outcome(content: bytes) -> object:
    """The whole table, or the error's message."""
    try:
        table = read(content)
    except DataError as error:
        return str(error)
    assert table.lines is not None
    return cells(table), table.rows, list(table.lines)


@pytest.fixture(params=["polars", "standard library"])
def reader(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "polars":
        pytest.importorskip("polars")
    with POLARS_ALWAYS if request.param == "polars" else POLARS_NEVER:
        yield


ODD = ["", " ", "NA", "1", "-2.5e3", "é", "日本", "#", "''", "a b", "inf", "\\", "\t", "%", "\x0b"]
PIECES = st.sampled_from([*ODD, ",", ";", '"', '""', "\n", "\r\n", "\r", "x", "12"])


@given(st.lists(PIECES, max_size=40), st.sampled_from(["a,b\n", "a\n", "a;b;c\r\n", "a\tb\r"]))
def test_both_readers_agree_on_any_text(pieces: list[str], header: str) -> None:
    pytest.importorskip("polars")
    content = (header + "".join(pieces)).encode()
    with SMALL_BLOCKS, POLARS_ALWAYS:
        by_polars = outcome(content)
    with SMALL_BLOCKS, POLARS_NEVER:
        assert outcome(content) == by_polars


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12), st.sampled_from(",;\t"))
def test_what_the_csv_module_writes_is_read_back(rows: list[tuple[str, str]], mark: str) -> None:
    import csv
    import io

    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=mark, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *rows])
    with SMALL_BLOCKS:
        table = read(stream.getvalue().encode())
    # Line ends inside cells are normalised with the file's.
    expected = [[c.replace("\r\n", "\n").replace("\r", "\n") for c in row] for row in rows]
    assert [list(row) for row in zip(*cells(table).values(), strict=True)] == expected


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n3,\n",
        b"\xef\xbb\xbfa,b\r\n1,2\r\n3,\r\n\r\n\n",
        b"a;b\r1;2\r3;",
        b"a\tb\n1\t2\n3\t",
        "a,b\n1,2\n3,\n".encode("utf-16"),
        b" a , b\n1,2\n3,\n",
        b'"a","b"\n1,"2"\n"3",\n',
    ],
)
def test_encodings_delimiters_and_line_ends(content: bytes) -> None:
    table = read(content)
    assert cells(table) == {"a": ["1", "3"], "b": ["2", ""]}
    assert [table.place(row) for row in range(2)] == ["line 2", "line 3"]


@pytest.mark.usefixtures("reader")
def test_lines_are_those_of_the_file_where_cells_hold_line_ends() -> None:
    table = read(b'a,b\n"x\ny",1\n2,"3\n\n"\n4,5\n')
    assert cells(table)["a"] == ["x\ny", "2", "4"]
    assert [table.place(row) for row in range(3)] == ["line 2", "line 4", "line 7"]


@pytest.mark.usefixtures("reader")
def test_an_empty_line_is_a_missing_cell_of_a_single_column() -> None:
    assert cells(read(b"a\n1\n\n2\n\n")) == {"a": ["1", "", "2"]}
    assert cells(read(b'"a"\n1\n\n2\n\n')) == {"a": ["1", "", "2"]}


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\r\n", "is empty"),
        (b"a,b\n", r"column names \(a, b\) but no rows"),
        (b'"a","b"\n', r"column names \(a, b\) but no rows"),
        (b"a,b\n1,2\n1,2,3\n1\n", "line 3: expected 2 fields.*found 3 fields .1 more line"),
        (b'"a",b\n1,2\n1,2,3\n', "line 3: expected 2 fields.*found 3 fields"),
        (b"a,b\n1,2\n\n3,4\n", "line 3: expected 2 fields.*found nothing at all"),
        (b"a,b\n1,2\n1\n", "line 3: expected 2 fields.*found one field"),
        (b"a,,b,\n1,2,3,4\n", "no name for column 2, 4"),
        (b"a,b,a\n1,2,3\n", "more than one column is named a"),
        (b"1,2.5\n1,2\n", r"expected column names, found numbers \(1, 2.5\)"),
        (b"a,b\n1,\xe9\n", "line 2: the byte 0xE9 is not UTF-8"),
        (b"a,b\n1,\0\n", "binary file"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PK\x03\x04\x00", "Excel"),
        (b"\xff\xfea\x00,", "UTF-16 but is damaged"),
        (b'a,b\n1,"2\n3,4\n', "never closed"),
    ],
)
def test_what_is_no_table_gets_one_message(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(content)
    assert str(caught.value).startswith("t.csv")


def test_the_delimiter_is_the_one_that_cuts_the_rows_too() -> None:
    assert list(read(b"date;temp, max;x\n1;2;3\n").columns) == ["date", "temp, max", "x"]
    assert list(read(b"a,b;c\n1;2\n").columns) == ["a,b", "c"]
