"""The readers on real files, which are not made to be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_export.contract import Window
from lstm_export.data.load import load_table
from lstm_export.data.series import Series, read_series
from lstm_export.data.split import parts
from lstm_export.data.windows import window_starts
from lstm_export.errors import DataError

pytestmark = pytest.mark.data


def read(path: Path, **options: Any) -> Series:
    return read_series(load_table(path), **{"targets": None, "features": None, **options})


def axis(series: Series) -> tuple[str, str, int, str] | None:
    time = series.time
    return (time.column, time.unit, time.step, time.format) if time else None


def test_sunspots_equal_the_embedded_set(shared_data: Path) -> None:
    series = read(shared_data / "sunspots" / "sunspots_yearly.csv")
    assert axis(series) == ("YEAR", "year", 1, "%Y")
    embedded = read_series(load_table("sunspots"), targets=None, features=None)
    np.testing.assert_array_equal(series.values, embedded.values)


def test_a_header_with_too_few_names(shared_data: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: expected 6 fields.*found 7 fields .819 more"):
        load_table(shared_data / "co2_mauna_loa" / "co2_monthly.csv")


def test_weekly_co2_has_missing_values(shared_data: Path) -> None:
    path = shared_data / "co2_mauna_loa" / "co2_weekly.csv"
    with pytest.raises(
        DataError, match=r"missing values: 59 in the column 'co2' \(line 8, line 11"
    ):
        read(path)
    dropped = read(path, missing="drop")
    assert axis(dropped) == ("date", "day", 7, "%Y%m%d")
    assert (len(dropped.values), len(dropped.segments)) == (2284 - 59, 23)
    drawn = read(path, missing="interpolate")
    assert (len(drawn.values), len(drawn.segments)) == (2284 - 18, 2)


def test_monthly_co2(shared_data: Path) -> None:
    path = shared_data / "co2_mauna_loa" / "co2_monthly_clean.csv"
    series = read(path, targets=["co2_ppm"], features="all")
    assert axis(series) == ("month", "month", 1, "%Y-%m")
    assert series.features == ("co2_ppm", "co2_ppm_deseasonalised")
    assert len(series.segments) == 1


def test_seattle_weather(shared_data: Path) -> None:
    path = shared_data / "seattle_weather" / "seattle_weather_daily.csv"
    series = read(path, targets=["temp_max"], features="all")
    assert axis(series) == ("date", "day", 1, "%Y-%m-%d")
    assert series.features == ("precipitation", "temp_max", "temp_min", "wind")
    assert series.notes == ("columns not used: weather",)
    with pytest.raises(DataError, match="'weather' has 1,461 cells that are not numbers"):
        read(path, targets=["weather"])


def test_server_metrics(shared_data: Path) -> None:
    taxi = read(shared_data / "nab" / "realKnownCause__nyc_taxi.csv")
    assert axis(taxi) == ("timestamp", "second", 1800, "%Y-%m-%d %H:%M:%S")
    assert len(taxi.segments) == 1
    with pytest.raises(DataError, match="1 going back: line 10151"):
        read(shared_data / "nab" / "realKnownCause__machine_temperature_system_failure.csv")
    with pytest.raises(DataError, match="11 repeated: line 559"):
        read(shared_data / "nab" / "realKnownCause__ec2_request_latency_system_failure.csv")


def test_vowels_are_270_series(shared_data: Path) -> None:
    path = shared_data / "JapaneseVowels" / "JapaneseVowels_TRAIN.csv"
    series = read(path, targets=["x0"], features="all", series_id="case")
    assert axis(series) == ("t", "row", 1, "number")
    assert len(series.segments) == 270
    assert "case" not in series.features
    starts = window_starts(series, parts(series, 0.1, 0.2), Window(4, 1))
    ends = {segment.stop for segment in series.segments}
    assert not {s + k for s in starts.train.tolist() for k in range(1, 5)} & ends
