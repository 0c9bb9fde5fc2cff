"""Tables by path or by name."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from lstm_export.data.load import load_table
from lstm_export.data.table import RowNumbers, Timestamps
from lstm_export.data.write import write_table
from lstm_export.errors import DataError, MissingExtraError


def test_a_csv_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(b"a,b\n1,x\n2,y\n")
    table = load_table(path)
    assert (table.name, table.rows, list(table.columns)) == (str(path), 2, ["a", "b"])
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert table.numeric == ("a",)


def test_an_embedded_set_wins_over_a_file_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sine").write_text("a\n1\n")
    assert load_table("sine").rows == 1000
    assert load_table("./sine").rows == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sales.cvs", "did you mean .*sales.csv"),
        ("other/sales.csv", "give a CSV or Parquet file, or an embedded data set"),
        (".", "is a folder.*it holds sales.csv"),
        ("a\0b", "cannot read"),
    ],
)
def test_what_cannot_be_read_gets_one_message(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "sales.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=message):
        load_table(tmp_path / name)


def test_the_nearest_embedded_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="did you mean the embedded data set sunspots"):
        load_table("sunspot")


def test_parquet_gives_what_its_csv_gives(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {
            "day": ["2024-01-30", "2024-01-31", "2024-02-01"],
            "n": [1, None, 3],
            "x": [0.1, 1e-300, None],
            "text": ["a", None, "c"],
            "yes": [True, False, True],
            "big": [2**60, 2**60 + 1, 0],
        }
    ).with_columns(polars.col("day").str.to_date())
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv")
    one, other = load_table(tmp_path / "t.parquet"), load_table(tmp_path / "t.csv")
    assert list(one.columns) == list(other.columns)
    for name, column in one.columns.items():
        twin = other.columns[name]
        assert [column.cell(i) for i in range(3)] == [twin.cell(i) for i in range(3)], name
        assert "\0".join(column.blocks()) == "\0".join(twin.blocks())
        np.testing.assert_array_equal(column.numbers().values, twin.numbers().values)
    assert one.numeric == other.numeric
    assert (one.place(1), other.place(1)) == ("row 2", "line 3")


def test_parquet_times_are_iso(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    stamps = polars.Series(["2024-01-30 01:00:00", "2024-01-31 01:00:00"]).str.to_datetime()
    fine = stamps.dt.offset_by("5ms")
    polars.DataFrame(
        {"t": stamps, "fine": fine, "z": stamps.dt.replace_time_zone("UTC"), "x": [1, 2]}
    ).write_parquet(tmp_path / "t.parquet")
    columns = load_table(tmp_path / "t.parquet").columns
    assert columns["t"].cell(1) == "2024-01-31T01:00:00"
    assert columns["fine"].cell(1) == "2024-01-31T01:00:00.005000"
    assert columns["z"].cell(1) == "2024-01-31T01:00:00+00:00"


def test_parquet_that_cannot_be_used(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    path = tmp_path / "t.parquet"
    polars.DataFrame({"a": [[1], [2]]}).write_parquet(path)
    with pytest.raises(DataError, match="'a' holds List"):
        load_table(path)
    polars.DataFrame({"a": []}).write_parquet(path)
    with pytest.raises(DataError, match="no rows"):
        load_table(path)
    write_table(path, {"a": [1.0] * 100}, force=True)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="damaged Parquet"):
        load_table(path)
    with (
        mock.patch.dict(sys.modules, {"polars": None}),
        pytest.raises(MissingExtraError, match="tables"),
    ):
        load_table(path)


def test_timestamps_are_a_lazy_sequence(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\nx\ny\nz\n")
    column = load_table(tmp_path / "t.csv").columns["a"]
    stamps = Timestamps(column, np.array([2, 0, 1]))
    assert (list(stamps), stamps[-1], stamps[1:], len(stamps)) == (
        ["z", "x", "y"],
        "y",
        ["x", "y"],
        3,
    )
    numbers = RowNumbers(np.array([4, 9]))
    assert (list(numbers), numbers[-1], numbers[:1], len(numbers)) == (["5", "10"], "10", ["5"], 2)
