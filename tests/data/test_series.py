"""From a table to a series: columns, time, missing values, several series."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lstm_export.data.csv_reader import read_csv
from lstm_export.data.series import Segment, Series, read_series
from lstm_export.data.table import Table
from lstm_export.errors import DataError, OptionError


def table(*lines: str) -> Table:
    return read_csv("t.csv", "\n".join(lines).encode(), "0" * 64)


def series(*lines: str, **options: Any) -> Series:
    return read_series(table(*lines), **{"targets": None, "features": None, **options})


MONTHS = ("month,x,y,kind", "2024-01,1,10,a", "2024-02,2,20,b", "2024-03,3,30,c")


def test_the_only_numeric_column_is_the_target() -> None:
    found = series("date,x,note", "2024-01-01,1,a", "2024-01-02,2.5,b")
    assert (found.targets, found.features) == (("x",), ("x",))
    assert found.values.tolist() == [[1.0], [2.5]]
    assert found.values.dtype == np.float64
    assert found.segments == (Segment("", 0, 2),)
    assert found.time is not None
    assert (found.time.column, found.time.unit, found.time.step) == ("date", "day", 1)
    assert list(found.timestamps) == ["2024-01-01", "2024-01-02"]
    assert found.notes == ("columns not used: note",)


def test_targets_and_features_are_chosen_in_their_own_order() -> None:
    found = series(*MONTHS, targets=["y"], features=["y", "x"])
    assert found.values.tolist() == [[10, 1], [20, 2], [30, 3]]
    assert found.target_values.tolist() == [[10], [20], [30]]
    assert series(*MONTHS, targets=["x"], features="all").features == ("x", "y")
    assert series(*MONTHS, targets=["x"], features=["all"]).features == ("x", "y")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "several numeric columns: x, y.*--target"),
        ({"targets": ["X"]}, "no column 'X'; did you mean 'x'.*columns are month, x, y, kind"),
        ({"targets": ["x"], "features": ["yy", "zzz"]}, "'yy'; did you mean 'y'.*no column 'zzz'"),
        ({"targets": ["x", "x"]}, "x is named more than once"),
        ({"targets": ["kind"]}, r"'kind' has 3 cells that are not numbers: line 2 \('a'\), line 3"),
        ({"targets": ["month"]}, "'month' has 3 cells that are not numbers"),
        ({"targets": ["x"], "time": "mnth"}, "no column 'mnth'; did you mean 'month'"),
        ({"targets": ["x"], "time": "x"}, "'x' cannot be the time and a value"),
        ({"targets": ["x"], "time": "kind"}, "time column 'kind' has 'a' at line 2, known forms"),
        ({"targets": ["x"], "series_id": "knd"}, "no column 'knd'; did you mean 'kind'"),
        ({"targets": ["x"], "series_id": "x"}, "'x' cannot be the series id"),
    ],
)
def test_columns_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        series(*MONTHS, **options)


def test_a_table_without_numbers_says_what_its_cells_are() -> None:
    with pytest.raises(
        DataError, match=r"no numeric column.*'a': 'x' at line 2.*'b': every cell is"
    ):
        series("a,b", "x,", "y,")


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(OptionError, match="error or interpolate or drop, got 'skip'"):
        series(*MONTHS, targets=["x"], missing="skip")


def test_every_column_with_bad_cells_is_reported_at_once() -> None:
    lines = ("x,y", "1,inf", "oops,2", "3,-inf", "4,5_0")
    with pytest.raises(DataError) as caught:
        series(*lines, targets=["x", "y"])
    message = str(caught.value)
    assert "'x' has 1 cell that is not a number: line 3 ('oops')" in message
    assert "'y' has 1 cell that is not a number: line 5 ('5_0')" in message
    assert "'y' has 2 infinite values: line 2 ('inf'), line 4 ('-inf')" in message


class TestTime:
    def test_a_column_named_for_time_wins_over_one_that_holds_dates(self) -> None:
        lines = ("born,when_time,x", "2000-01-02,1,1", "2000-01-01,2,2")
        found = series(*lines, targets=["x"])
        assert found.time is not None
        assert found.time.column == "when_time"

    def test_a_good_time_column_is_found_behind_a_bad_one(self) -> None:
        lines = ("birthdate,day,x", "1999-05-01,2024-01-01,1", "1970-01-01,2024-01-02,2")
        found = series(*lines)
        assert found.time is not None
        assert found.time.column == "day"

    def test_text_that_begins_with_a_date_is_no_time(self) -> None:
        found = series("remark,x", "2024-01-01,1", "late,2", "early,3")
        assert found.time is None
        assert found.notes == ("columns not used: remark",)

    def test_dates_are_found_without_a_name(self) -> None:
        found = series("moment,x", "2024-01-01,1", "2024-01-02,2")
        assert found.time is not None
        assert found.time.column == "moment"

    def test_numbers_that_do_not_increase_are_passed_over_with_a_note(self) -> None:
        found = series("year,month,x", "2012,1,1", "2012,2,2", "2012,3,1", targets=["x"])
        assert found.time is not None
        assert found.time.column == "month"
        assert (
            "'year' is not taken as time: it does not increase from row to row; 2 rep"
            in found.notes[0]
        )

    def test_rows_are_numbered_without_a_time_column(self) -> None:
        found = series("x", "5", "6")
        assert found.time is None
        assert list(found.timestamps) == ["1", "2"]

    def test_irregular_times_number_the_rows(self) -> None:
        found = series("time,x", "1,1", "2,2", "5,3", "11,4", targets=["x"])
        assert found.time is None
        assert list(found.timestamps) == ["1", "2", "3", "4"]
        assert "no regular step" in found.notes[0]

    def test_repeats_and_steps_back_are_reported_by_line(self) -> None:
        lines = ("date,x", "2024-01-02,1", "2024-01-02,1", "2024-01-01,1", "2024-01-03,1")
        with pytest.raises(DataError) as caught:
            series(*lines)
        assert "1 repeated: line 3 ('2024-01-02')" in str(caught.value)
        assert "1 going back: line 4 ('2024-01-01')" in str(caught.value)

    def test_a_named_column_must_increase(self) -> None:
        with pytest.raises(DataError, match="does not increase"):
            series("n,x", "2,1", "1,1", targets=["x"], time="n")

    def test_a_few_cells_of_another_form_are_what_is_wrong(self) -> None:
        lines = ("date,x", "2024-01-01,1", "2024-01-02,1", "2024-02-30,1", ",1", "2024-01-05,1")
        with pytest.raises(
            DataError, match=r"'date' is written as '%Y-%m-%d' but for 2 cells: line 4"
        ):
            series(*lines)

    @pytest.mark.parametrize("options", [{}, {"time": "date"}])
    def test_day_and_month_that_may_be_swapped_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(DataError, match="'03/04/2014' at line 2: day/month or month/day"):
            series("date,x", "03/04/2014,1", "04/04/2014,1", **options)

    def test_text_that_is_no_time_is_passed_over_with_a_note(self) -> None:
        found = series("month,x", "Jan,1", "Feb,2")
        assert found.time is None
        assert "'month' is not taken as time: it has 'Jan' at line 2, known forms" in found.notes[0]

    def test_numbers_called_like_a_time_may_have_gaps(self) -> None:
        lines = ("day_rate,x", "1,1", "2,2", "NA,3", "4,4", "5,5")
        found = series(*lines, targets=["x"])
        assert found.time is None
        assert (
            "'day_rate' is not taken as time: it is written as 'number' but for 1 cell"
            in found.notes[0]
        )
        with pytest.raises(DataError, match=r"'day_rate' is written as 'number' but for 1 cell"):
            series(*lines, targets=["x"], time="day_rate")

    def test_eight_digits_that_are_no_dates_are_numbers(self) -> None:
        found = series("time,x", "20140130,1", "20140131,1", "20140132,1", targets=["x"])
        assert found.time is not None
        assert (found.time.unit, found.time.format) == ("row", "number")

    def test_six_digits_are_months_where_the_name_says_so(self) -> None:
        rows = ("202311,1", "202312,1", "202401,1")
        found = series("yearmonth,x", *rows, targets=["x"])
        assert found.time is not None
        assert (found.time.unit, found.segments) == ("month", (Segment("", 0, 3),))

    def test_gaps_split_and_are_told(self) -> None:
        days = ("2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06", "2024-01-07")
        found = series("date,x", *(f"{day},{i}" for i, day in enumerate(days)))
        assert found.segments == (Segment("", 0, 2), Segment("", 2, 5))
        assert "1 gap in the time column 'date', whose step is 1 day" in found.notes[0]
        assert "line 4 ('2024-01-05')" in found.notes[0]


class TestSeveralSeries:
    LINES = ("id,t,x", "b,1,10", "a,1,1", "b,2,20", "a,2,2", "a,4,3", "a,5,4", "a,6,5", "b,3,30")

    def test_rows_are_grouped_in_the_order_in_which_series_appear(self) -> None:
        found = series(*self.LINES, targets=["x"], series_id="id")
        assert found.values[:, 0].tolist() == [10, 20, 30, 1, 2, 3, 4, 5]
        assert found.segments == (Segment("b", 0, 3), Segment("a", 3, 5), Segment("a", 5, 8))
        assert list(found.timestamps) == ["1", "2", "3", "1", "2", "4", "5", "6"]
        assert "line 6 ('4')" in found.notes[0]

    def test_time_must_increase_in_each(self) -> None:
        lines = ("id,t,x", "b,1,10", "a,1,1", "b,1,20")
        with pytest.raises(DataError, match="1 repeated: line 4"):
            series(*lines, targets=["x"], time="t", series_id="id")

    def test_a_row_without_a_series_is_refused(self) -> None:
        with pytest.raises(
            DataError, match="no series is named in the column 'id' in 1 row: line 3"
        ):
            series("id,x", "b,1", ",1", series_id="id")

    def test_the_series_id_is_no_feature(self) -> None:
        found = series("id,x,y", "1,2,3", "1,3,4", targets=["x"], features="all", series_id="id")
        assert found.features == ("x", "y")


class TestMissing:
    LINES = ("x,y", ",1", "1,2", "NA,3", "3,4", "4,nan", "5,6")

    def test_error_counts_and_places_all(self) -> None:
        with pytest.raises(DataError) as caught:
            series(*self.LINES, targets=["x", "y"])
        assert "2 in the column 'x' (line 2, line 4)" in str(caught.value)
        assert "1 in the column 'y' (line 6)" in str(caught.value)
        assert "--missing" in str(caught.value)

    def test_drop_ends_the_segment(self) -> None:
        found = series(*self.LINES, targets=["x", "y"], missing="drop")
        assert found.values.tolist() == [[1, 2], [3, 4], [5, 6]]
        assert [(s.start, s.stop) for s in found.segments] == [(0, 1), (1, 2), (2, 3)]
        assert list(found.timestamps) == ["2", "4", "6"]
        assert found.notes == (
            "left out for missing values: 3 rows, which no window crosses: line 2, line 4, line 6",
        )

    def test_interpolation_stays_inside_the_series(self) -> None:
        found = series(*self.LINES, targets=["x", "y"], missing="interpolate")
        assert found.values.tolist() == [[1, 2], [2, 3], [3, 4], [4, 5], [5, 6]]
        assert [(s.start, s.stop) for s in found.segments] == [(0, 5)]
        assert found.notes == (
            "interpolated in 2 rows: line 4, line 6",
            "left out for missing values (at an end, or in a long run): 1 row, which no window "
            "crosses: line 2",
        )

    def test_interpolation_does_not_reach_into_another_series(self) -> None:
        lines = ("id,x", "a,1", "a,", "b,", "b,5", "b,", "b,7")
        found = series(*lines, series_id="id", missing="interpolate")
        assert found.values[:, 0].tolist() == [1, 5, 6, 7]
        assert found.segments == (Segment("a", 0, 1), Segment("b", 1, 4))

    @pytest.mark.parametrize(("run", "segments"), [(10, 1), (11, 2)])
    def test_long_runs_are_not_interpolated(self, run: int, segments: int) -> None:
        found = series(
            "x,y", "0,1", *[",1"] * run, f"{run + 1},1", targets=["x"], missing="interpolate"
        )
        assert len(found.segments) == segments
        if segments == 1:
            np.testing.assert_allclose(found.values[:, 0], np.arange(run + 2))

    def test_nothing_complete_is_refused(self) -> None:
        with pytest.raises(DataError, match="no row is complete in x, y"):
            series("x,y", "1,", ",2", targets=["x", "y"], missing="drop")


class TestPredict:
    def test_targets_may_be_absent_or_missing(self) -> None:
        lines = ("t,x,y", "1,1,", "2,2,20")
        found = series(*lines, targets=["y", "z"], features=["x"], role="predict")
        assert found.values.tolist() == [[1], [2]]
        assert np.isnan(found.target_values[0]).all()
        assert found.target_values[1, 0] == 20
        assert math.isnan(found.target_values[1, 1])
        assert found.notes == ()

    def test_features_may_not(self) -> None:
        with pytest.raises(DataError, match=r"no column 'y'.*asked for as feature"):
            series("t,x", "1,1", "2,2", targets=["x"], features=["x", "y"], role="predict")
        with pytest.raises(DataError, match="missing values"):
            series("t,x", "1,1", "2,", targets=["y"], features=["x"], role="predict")
