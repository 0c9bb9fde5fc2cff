"""The step of a time axis, and timestamps past its end."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.contract import TimeAxis
from lstm_export.data.table import SEPARATOR, TextColumn
from lstm_export.data.time import Steps, continue_times, find_steps
from lstm_export.data.timestamps import forms_of, parse_times
from lstm_export.errors import DataError


def steps_of(cells: list[str], begins: list[int] | None = None) -> Steps:
    column = TextColumn([SEPARATOR.join(cells)], [len(cells)])
    flags = np.zeros(len(cells), dtype=bool)
    flags[[0, *(begins or [])]] = True
    return find_steps("t", parse_times(column, forms_of(cells[0])[0]), flags)


def axis_of(cells: list[str]) -> tuple[str, int] | None:
    axis = steps_of(cells).axis
    return (axis.unit, axis.step) if axis else None


def days(start: str, *steps: int) -> list[str]:
    found = [date.fromisoformat(start)]
    for step in steps:
        found.append(found[-1] + timedelta(days=step))
    return [day.isoformat() for day in found]


@pytest.mark.parametrize(
    ("cells", "axis"),
    [
        (["1700", "1701", "1702"], ("year", 1)),
        (["1700", "1710", "1720"], ("year", 10)),
        (["1958-11", "1958-12", "1959-01"], ("month", 1)),
        (["1958-01", "1958-04", "1958-07"], ("month", 3)),
        (["1958-03-01", "1958-04-01", "1958-05-01"], ("month", 1)),
        (["1958-01-31", "1958-02-28", "1958-03-31"], ("month", 1)),
        (["1957-12-31", "1958-12-31", "1959-12-31"], ("year", 1)),
        (["20200229", "20200331", "20200430"], ("month", 1)),
        (days("2024-01-01", *[1] * 9), ("day", 1)),
        (days("2024-01-01", 7, 7, 7, 7, 7), ("day", 7)),
        (days("2024-01-01", 28, 28, 28), ("day", 28)),
        (days("2024-01-01", 1, 1, 1, 1, 3, 1, 1, 1, 1, 3), ("business day", 1)),
        (days("2024-01-01", 1, 1, 1, 1), ("day", 1)),
        (["2024-01-01 00:00", "2024-01-01 00:30", "2024-01-01 01:00"], ("second", 1800)),
        (["2024-01-01 12:00", "2024-01-02 12:00", "2024-01-03 12:00"], ("day", 1)),
        (
            ["2024-01-01 00:00:00.0", "2024-01-01 00:00:00.5", "2024-01-01 00:00:01.0"],
            ("microsecond", 500_000),
        ),
        (
            ["2024-01-01 00:00:00.25", "2024-01-01 00:00:01.25", "2024-01-01 00:00:02.25"],
            ("second", 1),
        ),
        (
            ["2024-03-30T00:00+01:00", "2024-03-31T00:00+01:00", "2024-04-01T00:00+02:00"],
            ("day", 1),
        ),
        (
            ["2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00", "2024-10-27T03:00+01:00"],
            ("second", 3600),
        ),
        (["0", "1", "2"], ("row", 1)),
        (["0", "5", "10"], ("row", 5)),
        (["1.0", "2.0", "3.0"], ("row", 1)),
        (["0.1", "0.2", "0.3"], None),
        (["1", "2", "4", "7"], None),
        (["1958-03-01"], None),
    ],
)
def test_the_regular_step(cells: list[str], axis: tuple[str, int] | None) -> None:
    found = steps_of(cells)
    assert axis_of(cells) == axis
    assert not len(found.gaps)
    assert not len(found.uneven)


def test_gaps_are_the_rows_before_which_steps_are_missing() -> None:
    assert steps_of(["1", "2", "3", "7", "8", "10"]).gaps.tolist() == [3, 5]
    assert steps_of(["1958-01", "1958-02", "1958-03", "1958-05", "1958-06"]).gaps.tolist() == [3]
    assert steps_of(days("2024-01-01", 1, 1, 2, 1, 1)).gaps.tolist() == [3]


def test_the_begin_of_a_series_is_no_gap() -> None:
    found = steps_of(["1", "2", "3", "1", "2", "3"], begins=[3])
    assert found.axis is not None
    assert found.gaps.tolist() == []


def test_rows_off_the_step_are_told_apart_from_gaps() -> None:
    clock = [
        "00:00:00",
        "00:05:00",
        "00:10:00",
        "00:15:03",
        "00:20:00",
        "00:25:00",
        "00:40:00",
        "00:45:00",
    ]
    found = steps_of([f"2024-01-01 {time}" for time in clock])
    assert found.axis is not None
    assert (found.axis.step, found.uneven.tolist(), found.gaps.tolist()) == (300, [3, 4], [6])


def test_holidays_are_no_gap_for_business_days() -> None:
    week = [1, 1, 1, 1, 3]
    found = steps_of(days("2024-01-01", *week, 1, 2, 1, 3, *week, *[1] * 4, 17, 1, 1))
    assert found.axis is not None
    assert (found.axis.unit, found.holidays) == ("business day", 1)
    assert found.gaps.tolist() == [19]


@pytest.mark.parametrize(
    ("unit", "step", "form", "last", "expected"),
    [
        ("year", 1, "%Y", "2008", ["2009", "2010"]),
        ("month", 1, "%Y-%m", "1958-11", ["1958-12", "1959-01"]),
        ("month", 3, "%Y/%m", "1958/11", ["1959/02", "1959/05"]),
        ("month", 1, "%Y%m", "195812", ["195901", "195902"]),
        ("month", 1, "%Y-%m-%d", "2024-01-31", ["2024-02-29", "2024-03-31"]),
        ("month", 1, "%Y-%m-%d", "2024-01-30", ["2024-02-29", "2024-03-30"]),
        ("month", 1, "%Y-%m-%d", "2023-02-28", ["2023-03-31", "2023-04-30"]),
        ("year", 1, "%Y-%m-%d", "2024-02-29", ["2025-02-28", "2026-02-28"]),
        ("day", 7, "%Y%m%d", "20011229", ["20020105", "20020112"]),
        ("day", 1, "%Y/%m/%d %H:%M", "2024/02/28 09:30", ["2024/02/29 09:30", "2024/03/01 09:30"]),
        ("business day", 1, "%Y-%m-%d", "2024-03-01", ["2024-03-04", "2024-03-05"]),
        (
            "second",
            1800,
            "%Y-%m-%d %H:%M:%S",
            "2015-01-31 23:30:00",
            ["2015-02-01 00:00:00", "2015-02-01 00:30:00"],
        ),
        (
            "second",
            1,
            "%Y-%m-%dT%H:%M:%S.%fZ",
            "2024-01-01T00:00:59.250Z",
            ["2024-01-01T00:01:00.250Z", "2024-01-01T00:01:01.250Z"],
        ),
        (
            "second",
            3600,
            "%Y-%m-%dT%H:%M%z",
            "2024-01-01T23:00+05:30",
            ["2024-01-02T00:00+05:30", "2024-01-02T01:00+05:30"],
        ),
        (
            "microsecond",
            100_000,
            "%Y-%m-%d %H:%M:%S.%f",
            "2024-01-01 00:00:00.9",
            ["2024-01-01 00:00:01.0", "2024-01-01 00:00:01.1"],
        ),
        ("row", 5, "number", "10", ["15", "20"]),
        ("row", 1, "number", "3.0", ["4.0", "5.0"]),
        ("row", 1, "number", "1e3", ["1001", "1002"]),
    ],
)
def test_timestamps_go_on_as_they_are_written(
    unit: str, step: int, form: str, last: str, expected: list[str]
) -> None:
    axis = TimeAxis("t", unit, step, form)  # type: ignore[arg-type]
    assert continue_times(axis, last, 2) == expected
    assert continue_times(axis, last, 0) == []


def test_rows_go_on_without_an_axis() -> None:
    assert continue_times(None, "309", 2) == ["310", "311"]
    assert continue_times(None, "yesterday", 2) == ["+1", "+2"]


@pytest.mark.parametrize(
    ("axis", "last", "message"),
    [
        (TimeAxis("t", "day", 1, "%Y-%m-%d"), "3 March", "'3 March' in the column 't'"),
        (TimeAxis("t", "row", 1, "number"), "x", "'x' in the column 't'"),
        (TimeAxis("t", "day", 1, "%Y-%m-%d"), "2023-02-30", "cannot continue"),
        (TimeAxis("t", "year", 1, "%Y"), "9999", "cannot continue"),
        (TimeAxis("t", "day", 1, "%Y-%m-%d"), "9999-12-31", "cannot continue"),
    ],
)
def test_what_cannot_be_continued_gets_one_message(axis: TimeAxis, last: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        continue_times(axis, last, 2)


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(
        lambda t: t.replace(microsecond=0)
    ),
    st.sampled_from([60, 300, 3600, 5400, 86_400, 7 * 86_400]),
)
def test_continuing_agrees_with_the_step_that_is_found(start: datetime, step: int) -> None:
    form = "%Y-%m-%dT%H:%M:%S"
    cells = [(start + timedelta(seconds=step * i)).strftime(form) for i in range(12)]
    axis = steps_of(cells[:8]).axis
    assert axis is not None
    assert continue_times(axis, cells[7], 4) == cells[8:]
