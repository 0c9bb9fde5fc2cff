"""Forecasts for a table: its columns found by the names in the contract, its time continued."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from lstm_export.data.missing import Missing
from lstm_export.data.series import Segment, Series, read_series
from lstm_export.data.table import Table
from lstm_export.data.time import continue_times
from lstm_export.errors import DataError, OptionError
from lstm_export.runtime.forecast_model import ForecastModel

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Float32


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """What follows one series: `values` is (horizon, targets), in raw units."""

    segment: Segment
    """The unbroken rows at the series' end, which the forecast goes on from."""
    times: tuple[str, ...]
    values: Float32


@dataclass(frozen=True, slots=True)
class Backtest:
    """A forecast one step ahead for every row with a full window before it, beside the truth.

    `rows` are the rows of the series, `forecast` and `truth` (rows, targets) in raw units.
    """

    rows: Array
    forecast: Float32
    truth: Array
    rmse: dict[str, float]
    mae: dict[str, float]


def series_for(
    model: ForecastModel,
    table: Table,
    *,
    series_id: str | None = None,
    missing: Missing = "error",
    truth: bool = False,
) -> Series:
    """The series that `model` takes from `table`; with `truth` its targets must be known too.

    A step in time other than the trained one stands in `notes`. Raises DataError.
    """
    terms = model.terms
    series = read_series(
        table,
        targets=[column.name for column in terms.targets],
        features=[column.name for column in terms.features],
        time=terms.time.column if terms.time else None,
        series_id=series_id,
        missing=missing,
        role="train" if truth else "predict",
    )
    trained, found = terms.time, series.time
    if trained and (found is None or (found.unit, found.step) != (trained.unit, trained.step)):
        here = f"{found.step} {found.unit}" if found else "no regular step"
        note = (
            f"the model was trained on rows {trained.step} {trained.unit} apart; the column "
            f"{trained.column!r} of this table has {here}"
        )
        series = replace(series, notes=(*series.notes, note))
    return series


def forecast_series(
    model: ForecastModel, series: Series, horizon: int | None = None
) -> tuple[tuple[SeriesForecast, ...], tuple[str, ...]]:
    """The forecast past the end of every series, and what a person must be told of them.

    Raises DataError if a series ends in fewer rows than the model takes, OptionError or
    InputError as `ForecastModel.forecast` does.
    """
    window = model.terms.window
    ends = {segment.series: segment for segment in series.segments}
    if not ends:
        raise DataError("the table has no rows to forecast from")
    histories, short = [], []
    for segment in ends.values():
        rows = segment.stop - segment.start
        if rows < window.shortest:
            raise DataError(
                f"{_named(segment)} ends in {rows} unbroken rows; the model needs at least "
                f"{window.shortest}, and was trained on {window.history}"
            )
        if rows < window.history:
            short.append(f"{_named(segment)} ({rows})")
        histories.append(
            series.values[max(segment.start, segment.stop - window.history) : segment.stop]
        )
    notes = []
    if short:
        notes.append(
            f"fewer unbroken rows than the {window.history} that the model was trained on: "
            f"{', '.join(short[:5])}{', …' if len(short) > 5 else ''}"
        )
    values = model.forecast(histories, horizon)
    forecasts = [
        SeriesForecast(
            segment,
            tuple(continue_times(series.time, series.timestamps[segment.stop - 1], len(ahead))),
            ahead,
        )
        for segment, ahead in zip(ends.values(), values, strict=True)
    ]
    return tuple(forecasts), tuple(notes)


def backtest(model: ForecastModel, series: Series) -> Backtest:
    """Replays the history of `series`, which was read with its truth, window by window.

    Memory beside the result is bounded, whatever the series' length. Raises DataError if no
    segment is longer than a window.
    """
    window, targets = model.terms.window, model.terms.targets
    firsts = [
        np.arange(segment.start + window.history, segment.stop) for segment in series.segments
    ]
    rows = np.concatenate(firsts) if firsts else np.empty(0, np.int64)
    if not len(rows):
        longest = max((s.stop - s.start for s in series.segments), default=0)
        raise DataError(
            f"nothing to replay: a window is {window.history} rows and one to compare with; "
            f"the longest unbroken stretch of the table has {longest}"
        )
    # windows[i] is a view of the rows [i, i + history), (features, history).
    windows = np.lib.stride_tricks.sliding_window_view(series.values, window.history, axis=0)
    forecast = np.empty((len(rows), len(targets)), np.float32)
    batch = max(1, min(_BATCH, _BATCH_VALUES // (window.history * series.values.shape[1])))
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch] - window.history
        x = windows[part].transpose(0, 2, 1)
        forecast[start : start + batch] = model(x)[:, 0]
    truth = series.target_values[rows]
    error = forecast - truth
    names = [column.name for column in targets]
    return Backtest(
        rows,
        forecast,
        truth,
        rmse=dict(zip(names, np.sqrt(np.mean(error**2, axis=0)).tolist(), strict=True)),
        mae=dict(zip(names, np.mean(np.abs(error), axis=0).tolist(), strict=True)),
    )


_BATCH, _BATCH_VALUES = 1024, 1 << 20


def forecast_columns(
    model: ForecastModel,
    series: Series,
    forecasts: Sequence[SeriesForecast],
    series_id: str | None = None,
) -> dict[str, list[object]]:
    """One row per series and step: time, the series where there are several, the targets."""
    lengths = [len(f.times) for f in forecasts]
    names = [f.segment.series for f in forecasts]
    columns: dict[str, list[object]] = {_time_name(series): [t for f in forecasts for t in f.times]}
    if series_id is not None:
        repeated = zip(names, lengths, strict=True)
        columns[series_id] = [name for name, length in repeated for _ in range(length)]
    values = np.concatenate([f.values for f in forecasts])
    for i, column in enumerate(model.terms.targets):
        columns[_free(column.name, columns)] = numbers(values[:, i])
    return columns


def backtest_columns(
    model: ForecastModel, series: Series, replayed: Backtest, series_id: str | None = None
) -> dict[str, list[object]]:
    """One row per replayed row: time, the series where there are several, and for every target the
    truth under its own name and `{target}_forecast`."""
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
    return columns


def numbers(values: Array) -> list[object]:
    """Floats as short as they read back exactly in their own precision; None where not finite."""
    # str() of a float32 is its shortest form; tolist() would spell out a float64's digits.
    exact = values.tolist() if values.dtype == np.float64 else [float(str(v)) for v in values]
    return [value if math.isfinite(value) else None for value in exact]


def checked_mode(horizon: int | None, mode: Literal["forecast", "backtest"]) -> None:
    """Raises OptionError for a horizon with a backtest, which always looks one step ahead."""
    if mode == "backtest" and horizon is not None:
        raise OptionError("--backtest looks one step ahead: leave out --horizon")


def _named(segment: Segment) -> str:
    return f"the series {segment.series!r}" if segment.series else "the table"


def _time_name(series: Series) -> str:
    return series.time.column if series.time else "row"


def _free(name: str, taken: dict[str, list[object]]) -> str:
    while name in taken:
        name += "_"
    return name
