"""Baselines and seasons."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.contract import TimeAxis, Window
from lstm_export.data.baselines import baseline_forecasts
from lstm_export.data.metrics import mae, rmse
from lstm_export.data.season import season_of
from lstm_export.data.series import Segment, Series
from lstm_export.data.split import parts
from lstm_export.data.table import RowNumbers
from lstm_export.errors import OptionError


def series_of(values: list[list[float]], *stops: int, time: TimeAxis | None = None) -> Series:
    y = np.array(values, dtype=np.float64)
    bounds = [0, *stops, len(y)]
    segments = tuple(Segment("", a, b) for a, b in itertools.pairwise(bounds))
    return Series(("x",), ("x",), y, y, segments, time, RowNumbers(np.arange(len(y))), ())


@given(
    st.integers(1, 3), st.integers(1, 5), st.integers(1, 6), st.integers(0, 1), st.integers(3, 12)
)
def test_the_formulas_row_by_row(
    context: int, horizon: int, season: int, lag: int, cut: int
) -> None:
    rng = np.random.default_rng(context * 1000 + horizon)
    y = rng.normal(size=(30, 2))
    series = series_of(y.tolist(), cut)
    window = Window(context, horizon, lag)
    starts = np.array(
        [s for g in series.segments for s in range(g.start, g.stop - window.history - horizon + 1)]
    )
    found = baseline_forecasts(series, starts, window, season)
    for i, s in enumerate(starts.tolist()):
        begin = 0 if s < cut else cut
        r = s + window.history - 1
        seen = y[begin : r + 1]
        for h in range(horizon):
            np.testing.assert_array_equal(found["naive"][i, h], seen[-1])
            seasonal = seen[-season + h % season] if len(seen) >= season else seen[-1]
            np.testing.assert_array_equal(found["seasonal naive"][i, h], seasonal)
            slope = (seen[-1] - seen[0]) / max(len(seen) - 1, 1)
            np.testing.assert_allclose(found["drift"][i, h], seen[-1] + (h + 1) * slope)


def test_the_future_changes_nothing() -> None:
    y = np.random.default_rng(0).normal(size=(20, 1))
    window = Window(4, 3)
    before = baseline_forecasts(series_of(y.tolist()), np.array([5]), window, 3)
    y[9:] = 1e9
    after = baseline_forecasts(series_of(y.tolist()), np.array([5]), window, 3)
    for name, forecast in before.items():
        np.testing.assert_array_equal(forecast, after[name])


def test_errors_per_target() -> None:
    truth = np.zeros((2, 2, 2))
    forecast = np.array([[[3.0, 1], [4, 1]], [[0, 1], [0, 1]]])
    assert rmse(forecast, truth).tolist() == [2.5, 1.0]
    assert mae(forecast, truth).tolist() == [1.75, 1.0]


def test_a_season_of_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="got 0"):
        baseline_forecasts(series_of([[1.0]] * 9), np.array([0]), Window(1, 1), 0)


@pytest.mark.parametrize(
    ("unit", "step", "season"),
    [
        ("month", 1, 12),
        ("month", 3, 4),
        ("day", 1, 7),
        ("day", 7, 52),
        ("business day", 1, 5),
        ("second", 3600, 24),
        ("second", 1800, 48),
        ("second", 7000, 1),
        ("year", 1, 1),
    ],
)
def test_the_calendar_knows_the_season(unit: str, step: int, season: int) -> None:
    noise = np.random.default_rng(1).normal(size=(400, 1)).tolist()
    axis = TimeAxis("t", unit, step, "%Y")  # type: ignore[arg-type]
    series = series_of(noise, time=axis)
    assert season_of(series, parts(series, 0.1, 0.2)) == season


def test_the_season_is_found_in_the_training_part_of_the_first_target() -> None:
    t = np.arange(300)
    y = (np.sin(2 * np.pi * t / 17) + 0.05 * t)[:, np.newaxis]
    y[240:] = np.sin(2 * np.pi * t[240:, np.newaxis] / 5) * 100
    series = series_of(y.tolist())
    assert season_of(series, parts(series, 0, 0.2)) == 17


@pytest.mark.parametrize("values", [[1.0] * 30, [1.0, 2.0, 3.0], list(range(30))])
def test_no_season(values: list[float]) -> None:
    series = series_of([[value] for value in values])
    assert season_of(series, parts(series, 0.1, 0.2)) == 1


def test_a_season_longer_than_half_the_training_part_does_not_count() -> None:
    axis = TimeAxis("t", "month", 1, "%Y-%m")
    series = series_of(np.random.default_rng(1).normal(size=(20, 1)).tolist(), time=axis)
    assert season_of(series, parts(series, 0.1, 0.2)) != 12
