"""Forecasts for a table: its columns found by the names in the contract, its time continued."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import repeat
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
    """What follows one series: `values` is (horizon, targets), in raw units, and so are the bounds
    of its intervals, `lower` and `upper`, where they were asked for."""

    segment: Segment
    """The unbroken rows at the series' end, which the forecast goes on from."""
    times: tuple[str, ...]
    values: Float32
    lower: Float32 | None = None
    upper: Float32 | None = None


@dataclass(frozen=True, slots=True)
class Backtest:
    """A forecast one step ahead for every row with a full window before it, beside the truth.

    `rows` are the rows of the series, `forecast` and `truth` (rows, targets) in raw units.
    Where a coverage was asked for, `lower` and `upper` are the bounds of its intervals, and
    `covered` is the share of the truth within them, by target.
    """

    rows: Array
    forecast: Float32
    truth: Array
    rmse: dict[str, float]
    mae: dict[str, float]
    lower: Float32 | None = None
    upper: Float32 | None = None
    covered: dict[str, float] | None = None


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
    model: ForecastModel,
    series: Series,
    horizon: int | None = None,
    coverage: float | None = None,
    *,
    future: Table | None = None,
    series_id: str | None = None,
) -> tuple[tuple[SeriesForecast, ...], tuple[str, ...]]:
    """The forecast past the end of every series, and what a person must be told of them.

    With `coverage` every forecast has the bounds of its interval. `future` has the rows that
    follow, of the features that the model does not predict, series by series as `series_id` tells;
    without `horizon` the forecast goes as far as they do.

    Raises DataError if `future` does not go on from the series, or if a series ends in fewer rows
    than the model takes, OptionError or InputError as `ForecastModel.forecast` does.
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
    known = None
    if future is not None:
        from lstm_export.runtime.future_table import future_of

        known = future_of(model.terms, future, series, tuple(ends.values()), series_id)
        horizon = min(map(np.size, known.values())) // len(ends) if horizon is None else horizon
    if coverage is None:
        values = model.forecast(histories, horizon, future=known)
        bounds: Iterable[tuple[Float32 | None, Float32 | None]] = repeat((None, None), len(values))
    else:
        values, lower, upper = model.forecast(histories, horizon, future=known, coverage=coverage)
        bounds = zip(lower, upper, strict=True)
    forecasts = [
        SeriesForecast(
            segment,
            tuple(continue_times(series.time, series.timestamps[segment.stop - 1], len(ahead))),
            ahead,
            *both,
        )
        for segment, ahead, both in zip(ends.values(), values, bounds, strict=True)
    ]
    return tuple(forecasts), tuple(notes)


def backtest(model: ForecastModel, series: Series, coverage: float | None = None) -> Backtest:
    """Replays the history of `series`, which was read with its truth, window by window.

    With `coverage` it says how much of the truth lies within the intervals. Memory beside the
    result is bounded, whatever the series' length. Raises DataError if no segment is longer than a
    window, OptionError as `ForecastModel.forecast` does.
    """
    window, targets = model.terms.window, model.terms.targets
    width = None
    if coverage is not None:
        from lstm_export.runtime.intervals import band

        width = band(model.intervals, coverage, 1).half_widths[0]
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
    lower = upper = covered = None
    if width is not None:
        lower, upper = forecast - width, forecast + width
        shares = np.mean((lower <= truth) & (truth <= upper), axis=0).tolist()
        covered = dict(zip(names, shares, strict=True))
    return Backtest(
        rows,
        forecast,
        truth,
        rmse=dict(zip(names, np.sqrt(np.mean(error**2, axis=0)).tolist(), strict=True)),
        mae=dict(zip(names, np.mean(np.abs(error), axis=0).tolist(), strict=True)),
        lower=lower,
        upper=upper,
        covered=covered,
    )


_BATCH, _BATCH_VALUES = 1024, 1 << 20


def checked_mode(
    horizon: int | None, mode: Literal["forecast", "backtest"], future: str | None = None
) -> None:
    """Raises OptionError for what a backtest, which looks one step ahead, has no use for."""
    for option, value in (("--horizon", horizon), ("--future", future)):
        if mode == "backtest" and value is not None:
            raise OptionError(f"--backtest looks one step ahead: leave out {option}")


def _named(segment: Segment) -> str:
    return f"the series {segment.series!r}" if segment.series else "the table"
