"""Tables out."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.data.csv_reader import read_csv
from lstm_export.data.load import load_table
from lstm_export.data.write import csv_text, write_table
from lstm_export.errors import MissingExtraError, OptionError, OutputError

COLUMNS = {"time": ["2024-01", "2024-02"], "x": [0.1, None], "n": [1, 2]}


def test_csv_is_canonical() -> None:
    assert csv_text(COLUMNS) == "time,x,n\n2024-01,0.1,1\n2024-02,,2\n"
    assert csv_text({"a,b": ['q"', "x\ny"]}) == '"a,b"\n"q"""\n"x\ny"\n'
    numpy_numbers = {"x": np.array([0.1]), "y": np.array([0.1], dtype=np.float32)}
    assert csv_text(numpy_numbers) == "x,y\n0.1,0.1\n"  # type: ignore[arg-type]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        csv_text({"a": [1], "b": [1, 2]})


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_floats_read_back_exactly(values: list[float]) -> None:
    table = read_csv("t", csv_text({"x": values}).encode(), "")
    assert table.columns["x"].numbers().values.tolist() == values


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("polars")
    path = tmp_path / f"t{suffix}"
    write_table(path, COLUMNS, force=False)
    table = load_table(path)
    assert [table.columns["time"].cell(i) for i in range(2)] == COLUMNS["time"]
    np.testing.assert_array_equal(table.columns["x"].numbers().values, [0.1, np.nan])
    with pytest.raises(OutputError, match="exists already"):
        write_table(path, COLUMNS, force=False)
    write_table(path, {"x": [1.0]}, force=True)
    assert load_table(path).rows == 1


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"ends in \.csv or \.parquet"):
        write_table(tmp_path / "t.xlsx", COLUMNS, force=False)
    with pytest.raises(OutputError, match="cannot write"):
        write_table(tmp_path / "absent" / "t.csv", COLUMNS, force=False)
    without = mock.patch.dict(sys.modules, {"polars": None})
    with without, pytest.raises(MissingExtraError, match=r"lstm-export\[tables\]"):
        write_table(tmp_path / "t.parquet", COLUMNS, force=False)
    assert list(tmp_path.iterdir()) == []
