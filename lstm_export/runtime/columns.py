"""Forecasts and replayed histories as the columns of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.data.series import Series
from lstm_export.runtime.forecast_model import ForecastModel

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.table import Backtest, SeriesForecast


def forecast_columns(
    model: ForecastModel,
    series: Series,
    forecasts: Sequence[SeriesForecast],
    series_id: str | None = None,
) -> dict[str, list[object]]:
    """One row per series and step: time, the series where there are several, and every target,
    with the bounds of its intervals `{target}_lower` and `{target}_upper` where there are any."""
    lengths = [len(f.times) for f in forecasts]
    names = [f.segment.series for f in forecasts]
    columns: dict[str, list[object]] = {_time_name(series): [t for f in forecasts for t in f.times]}
    if series_id is not None:
        repeated = zip(names, lengths, strict=True)
        columns[series_id] = [name for name, length in repeated for _ in range(length)]
    values = np.concatenate([f.values for f in forecasts])
    bounds = [
        (end, np.concatenate(pieces))
        for end in ("lower", "upper")
        if (pieces := [b for f in forecasts if (b := getattr(f, end)) is not None])
    ]
    for i, column in enumerate(model.terms.targets):
        columns[_free(column.name, columns)] = numbers(values[:, i])
        for end, bound in bounds:
            columns[_free(f"{column.name}_{end}", columns)] = numbers(bound[:, i])
    return columns


def backtest_columns(
    model: ForecastModel, series: Series, replayed: Backtest, series_id: str | None = None
) -> dict[str, list[object]]:
    """One row per replayed row: time, the series where there are several, and for every target the
    truth under its own name, `{target}_forecast`, and the bounds of its intervals
    `{target}_lower` and `{target}_upper` where there are any."""
    columns: dict[str, list[object]] = {
        _time_name(series): [series.timestamps[row] for row in replayed.rows.tolist()]
    }
    if series_id is not None:
        starts = np.array([segment.start for segment in series.segments])
        of_row = np.searchsorted(starts, replayed.rows, side="right") - 1
        columns[series_id] = [series.segments[i].series for i in of_row.tolist()]
    for i, column in enumerate(model.terms.targets):
        columns[_free(column.name, columns)] = numbers(replayed.truth[:, i])
        columns[_free(f"{column.name}_forecast", columns)] = numbers(replayed.forecast[:, i])
        for end, bound in (("lower", replayed.lower), ("upper", replayed.upper)):
            if bound is not None:
                columns[_free(f"{column.name}_{end}", columns)] = numbers(bound[:, i])
    return columns


def numbers(values: Array) -> list[object]:
    """Floats as short as they read back exactly in their own precision; None where not finite."""
    # str() of a float32 is its shortest form; tolist() would spell out a float64's digits.
    exact = values.tolist() if values.dtype == np.float64 else [float(str(v)) for v in values]
    return [value if math.isfinite(value) else None for value in exact]


def _time_name(series: Series) -> str:
    return series.time.column if series.time else "row"


def _free(name: str, taken: dict[str, list[object]]) -> str:
    while name in taken:
        name += "_"
    return name
