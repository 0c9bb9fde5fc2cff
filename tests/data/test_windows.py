"""Parts and windows: nothing crosses a segment, nothing leaks between the parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lstm_export.contract import Window
from lstm_export.data.series import Segment, Series
from lstm_export.data.split import TEST, TRAIN, VALIDATION, parts, series_bounds
from lstm_export.data.table import RowNumbers
from lstm_export.data.windows import window_starts, window_targets
from lstm_export.errors import DataError, OptionError


def series_of(*pieces: list[int]) -> Series:
    """One series per argument, its segments as long as its numbers say; row i has the value i."""
    segments, start = [], 0
    for i, lengths in enumerate(pieces):
        for length in lengths:
            segments.append(Segment(f"s{i}", start, start + length))
            start += length
    values = np.arange(float(start))[:, np.newaxis]
    return Series(
        ("x",), ("x",), values, values, tuple(segments), None, RowNumbers(np.arange(start)), ()
    )


SERIES = st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=4), min_size=1, max_size=4).map(
    lambda pieces: series_of(*pieces)
)
WINDOWS = st.builds(Window, st.integers(1, 6), st.integers(1, 4), st.integers(0, 3))
FRACTIONS = st.tuples(st.floats(0, 0.45), st.floats(0, 0.45))


@given(SERIES, WINDOWS, FRACTIONS)
def test_windows_are_all_that_fit_and_no_others(
    series: Series, window: Window, fractions: tuple[float, float]
) -> None:
    part = parts(series, *fractions)
    expected: dict[int, list[int]] = {TRAIN: [], VALIDATION: [], TEST: []}
    segment_of = np.empty(len(part), dtype=int)
    for i, segment in enumerate(series.segments):
        segment_of[segment.start : segment.stop] = i
    for s in range(len(part) - window.history - window.horizon + 1):
        rows = np.arange(s, s + window.history + window.horizon)
        in_parts = set(part[rows[window.history :]].tolist())
        if len(set(segment_of[rows])) == 1 and len(in_parts) == 1:
            expected[in_parts.pop()].append(s)
    lacks = not expected[TRAIN] or not expected[TEST]
    lacks = lacks or (bool((part == VALIDATION).any()) and not expected[VALIDATION])
    if lacks:
        with pytest.raises(DataError, match="no window fits"):
            window_starts(series, part, window)
        return
    starts = window_starts(series, part, window)
    assert starts.train.dtype == np.int64
    assert starts.train.tolist() == expected[TRAIN]
    assert starts.validation.tolist() == expected[VALIDATION]
    assert starts.test.tolist() == expected[TEST]
    targets = [
        set(window_targets(series, found, window).ravel().tolist())
        for found in (starts.train, starts.validation, starts.test)
    ]
    assert not targets[0] & targets[1]
    assert not targets[1] & targets[2]
    assert not targets[0] & targets[2]


@given(SERIES, FRACTIONS)
def test_parts_are_chronological_in_every_series(
    series: Series, fractions: tuple[float, float]
) -> None:
    part = parts(series, *fractions)
    assert part.dtype == np.int8
    for start, stop in series_bounds(series):
        rows = part[start:stop]
        assert (np.diff(rows) >= 0).all()
        assert (rows == TEST).sum() == round(fractions[1] * len(rows))


def test_counts_of_one_series() -> None:
    series = series_of([309])
    part = parts(series, 0.1, 0.2)
    assert np.bincount(part).tolist() == [216, 31, 62]
    starts = window_starts(series, part, Window(24, 1, 1))
    assert [len(found) for found in (starts.train, starts.validation, starts.test)] == [191, 31, 62]
    # A validation window sees training rows, and predicts none.
    assert starts.validation[0] + 25 == 216


def test_no_validation_part_is_allowed() -> None:
    series = series_of([20])
    assert len(window_starts(series, parts(series, 0, 0.5), Window(2, 1)).validation) == 0


@pytest.mark.parametrize("fractions", [(-0.1, 0.2), (0.2, 1.0), (0.5, 0.5), (float("nan"), 0.1)])
def test_fractions_that_leave_nothing(fractions: tuple[float, float]) -> None:
    with pytest.raises(OptionError, match=r"fraction must be|leave no rows"):
        parts(series_of([10]), *fractions)


def test_too_few_rows_say_what_is_needed_and_what_is_there() -> None:
    series = series_of([10, 20])
    with pytest.raises(DataError) as caught:
        window_starts(series, parts(series, 0.1, 0.2), Window(24, 2, 12))
    message = str(caught.value)
    assert "the training or validation or test part" in message
    assert "needs 38 rows (24 of context + 12 for differencing + 2 of horizon" in message
    assert "there are 30 rows (21 training, 3 validation, 6 test)" in message
    assert "the longest unbroken stretch of 2 has 20" in message


def test_windows_are_positions_not_copies() -> None:
    series = series_of([200_000])
    starts = window_starts(series, parts(series, 0.1, 0.2), Window(500, 1))
    assert starts.train.nbytes <= 8 * 200_000


@given(SERIES, WINDOWS)
def test_window_targets_are_the_rows_after_the_history(series: Series, window: Window) -> None:
    first = series.segments[0]
    assume(first.stop >= window.history + window.horizon)
    found = window_targets(series, np.array([0]), window)
    assert found.shape == (1, window.horizon, 1)
    assert found.ravel().tolist() == list(range(window.history, window.history + window.horizon))
