"""Which cells are numbers."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.data.numbers import is_missing, is_number, parse_numbers, spell


def parse(*cells: str) -> tuple[list[float], list[int]]:
    numbers = parse_numbers(iter(["\0".join(cells)]), len(cells), "\0")
    return numbers.values.tolist(), numbers.unreadable.tolist()


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1", 1.0),
        ("+1", 1.0),
        ("-1e5", -1e5),
        (".5", 0.5),
        ("5.", 5.0),
        (" 2\t", 2.0),
        ("1E-3", 1e-3),
        ("007", 7.0),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("1e999", math.inf),
    ],
)
def test_forms_of_numbers(cell: str, value: float) -> None:
    assert parse(cell) == ([value], [])
    assert is_number(cell)


@pytest.mark.parametrize("cell", ["", "NA", "N/A", "nan", "NaN", "null", "None", " ", "NULL"])
def test_missing_values(cell: str) -> None:
    values, unreadable = parse("1", cell)
    assert math.isnan(values[1])
    assert unreadable == []
    assert is_missing(cell)
    assert not is_number(cell)


@pytest.mark.parametrize(
    "cell", ["1,000", "1_000", "1 000", "0x10", "--1", "1e", ".", "e5", "١٢", "1.2.3", "+", "1\xa0"]
)
def test_what_is_no_number(cell: str) -> None:
    values, unreadable = parse("1", cell, "2")
    assert unreadable == [1]
    assert values[::2] == [1.0, 2.0]
    assert math.isnan(values[1])
    assert not is_number(cell)


@given(st.lists(st.text(st.sampled_from("0123456789+-.eE_ infa,N/\t"), max_size=6), max_size=6))
def test_a_block_reads_as_its_cells_do(cells: list[str]) -> None:
    values, unreadable = parse(*cells, "1")
    for i, cell in enumerate(cells):
        assert (i in unreadable) == (not is_number(cell) and not is_missing(cell))
        assert math.isnan(values[i]) == (not is_number(cell))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_spelt_number_reads_back_bit_for_bit(value: float) -> None:
    (read,), _ = parse(spell(value, integers=False))
    assert struct.pack("d", read) == struct.pack("d", value)


def test_spelling_keeps_integers_and_missing_values() -> None:
    assert spell(3.0, integers=True) == "3"
    assert spell(3.0, integers=False) == "3.0"
    assert spell(float(np.nan), integers=True) == ""
