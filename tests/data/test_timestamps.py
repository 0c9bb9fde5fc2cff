"""Timestamps as written: forms, instants, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.data.table import SEPARATOR, TextColumn
from lstm_export.data.timestamps import Times, forms_of, hides_day_and_month, parse_times

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def times(form: str, *blocks: list[str]) -> Times:
    column = TextColumn([SEPARATOR.join(block) for block in blocks], [len(b) for b in blocks])
    return parse_times(column, form)


def microseconds(iso: str) -> int:
    moment = datetime.fromisoformat(iso)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("cell", "form", "iso"),
    [
        ("1700", "%Y", "1700-01-01"),
        ("1958-03", "%Y-%m", "1958-03-01"),
        ("1958/03", "%Y/%m", "1958-03-01"),
        ("195803", "%Y%m", "1958-03-01"),
        ("2012-02-29", "%Y-%m-%d", "2012-02-29"),
        ("2012/02/29", "%Y/%m/%d", "2012-02-29"),
        ("20120229", "%Y%m%d", "2012-02-29"),
        (" 2012-02-29 ", "%Y-%m-%d", "2012-02-29"),
        ("2012-02-29T10:30", "%Y-%m-%dT%H:%M", "2012-02-29T10:30"),
        ("2012-02-29 10:30:05", "%Y-%m-%d %H:%M:%S", "2012-02-29T10:30:05"),
        ("2012/02/29 10:30:05", "%Y/%m/%d %H:%M:%S", "2012-02-29T10:30:05"),
        ("20120229T10:30:05Z", "%Y%m%dT%H:%M:%SZ", "2012-02-29T10:30:05"),
        ("2012-02-29T10:30:05.25", "%Y-%m-%dT%H:%M:%S.%f", "2012-02-29T10:30:05.250"),
        ("2012-02-29T10:30:05.123456789", "%Y-%m-%dT%H:%M:%S.%f", "2012-02-29T10:30:05.123456"),
        ("2012-02-29T10:30+02:00", "%Y-%m-%dT%H:%M%z", "2012-02-29T10:30+02:00"),
        ("2012-02-29 10:30:05-0330", "%Y-%m-%d %H:%M:%S%z", "2012-02-29T10:30:05-03:30"),
        ("2012-02-29T10:30:05.5+00:00", "%Y-%m-%dT%H:%M:%S.%f%z", "2012-02-29T10:30:05.500"),
    ],
)
def test_known_forms(cell: str, form: str, iso: str) -> None:
    assert forms_of(cell)[0] == form
    found = times(form, [cell])
    assert found.unreadable.tolist() == []
    assert found.instants.tolist() == [microseconds(iso)]


@pytest.mark.parametrize("cell", ["", "now", "today", "2012-2-9", "Jan 2012", "2012-13", "12:00"])
def test_other_forms_are_not_timestamps(cell: str) -> None:
    assert forms_of(cell) == []


def test_digits_may_be_a_date_or_a_number() -> None:
    assert forms_of("20140401") == ["%Y%m%d", "number"]
    assert forms_of("1958") == ["%Y", "number"]
    assert forms_of("1958.2") == ["number"]


@pytest.mark.parametrize("cell", ["03/04/2014", "3/4/14", "03.04.2014 12:00", "3-4-2014"])
def test_day_and_month_that_may_be_swapped(cell: str) -> None:
    assert forms_of(cell) == []
    assert hides_day_and_month(cell)


def test_unreadable_cells_are_listed_over_blocks() -> None:
    form = "%Y-%m-%d"
    found = times(form, ["2012-02-28", "2012-02-30", ""], ["x", "y"], ["2012-03-01", "2012-03-02"])
    assert found.unreadable.tolist() == [1, 2, 3, 4]
    assert found.wall[[0, 5]].tolist() == [microseconds("2012-02-28"), microseconds("2012-03-01")]


def test_offsets_that_change_give_instants_in_order() -> None:
    found = times("%Y-%m-%dT%H:%M%z", ["2024-10-27T02:30+02:00", "2024-10-27T02:30+01:00", "?"])
    assert found.unreadable.tolist() == [2]
    assert (found.instants[1] - found.instants[0]) == 3_600_000_000
    assert found.wall[1] == found.wall[0]


@given(
    st.lists(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)), min_size=1, max_size=5),
    st.sampled_from(["%Y-%m-%d %H:%M:%S.%f", "%Y/%m/%dT%H:%M:%S.%f", "%Y%m%d %H:%M:%S.%f"]),
)
def test_what_strftime_writes_is_read_back(moments: list[datetime], form: str) -> None:
    found = times(form, [moment.strftime(form) for moment in moments])
    expected = [microseconds(moment.isoformat()) for moment in moments]
    assert found.instants.tolist() == expected
    assert not len(found.unreadable)
