"""The plots of `predict`: forecasts past the end of a table, or its history replayed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import Forecast
from lstm_export.data.series import Series
from lstm_export.errors import OptionError
from lstm_export.files import refuse_existing, write_atomic
from lstm_export.report.figures import SeriesPlot, close_up_rows, series_figure
from lstm_export.report.predictions_figure import PredictionPlot, predictions_figure
from lstm_export.report.svg import drawing_style, image_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lstm_export.report.axes import Values
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.table import Backtest, SeriesForecast

_KINDS = ("png", "svg", "pdf")
_MOST_PANELS = 12


def check_plot_path(path: Path, *, force: bool) -> None:
    """Raises OptionError for a suffix that is no image's, OutputError if `path` exists, and
    MissingExtraError where matplotlib is absent."""
    if path.suffix.lower().removeprefix(".") not in _KINDS:
        raise OptionError(f"{path}: a plot is written as .png, .svg or .pdf, not {path.suffix!r}")
    refuse_existing(path, force=force)
    with drawing_style():
        pass


def save_forecasts(
    path: Path, terms: Forecast, series: Series, forecasts: Sequence[SeriesForecast]
) -> None:
    """Draws every target of every series with what is forecast past its end."""
    _check_panels(len(forecasts) * len(terms.targets))
    plots = []
    for forecast in forecasts:
        name = forecast.segment.series
        first = min(s.start for s in series.segments if s.series == name)
        gaps = [s.start - first for s in series.segments if s.series == name and s.start > first]
        rows = slice(first, forecast.segment.stop)
        for i, column in enumerate(terms.targets):
            plots.append(
                SeriesPlot(
                    f"{name} {column.name}".strip(),
                    column.unit,
                    series.timestamps[rows],
                    series.target_values[rows, i],
                    forecast.times,
                    forecast.values[:, i].astype(np.float64),
                    lower=_column(forecast.lower, i),
                    upper=_column(forecast.upper, i),
                    gaps=tuple(gaps),
                    time_format=series.time.format if series.time else None,
                )
            )
    rows_shown = close_up_rows(len(forecasts[0].times), terms.window.history)
    with drawing_style():
        _save(path, series_figure(plots, close_up=rows_shown))


def save_backtest(path: Path, terms: Forecast, series: Series, replayed: Backtest) -> None:
    """Draws truth and one-step forecasts of every target of every series."""
    names = list(dict.fromkeys(segment.series for segment in series.segments))
    _check_panels(len(names) * len(terms.targets))
    plots = []
    for name in names:
        own = [s for s in series.segments if s.series == name]
        inside = (replayed.rows >= own[0].start) & (replayed.rows < own[-1].stop)
        if not inside.any():
            continue
        times = [series.timestamps[row] for row in replayed.rows[inside].tolist()]
        for i, column in enumerate(terms.targets):
            plots.append(
                PredictionPlot(
                    f"{name} {column.name}".strip(),
                    column.unit,
                    times,
                    replayed.truth[inside, i],
                    replayed.forecast[inside, i].astype(np.float64),
                    time_format=series.time.format if series.time else None,
                    lower=None if replayed.lower is None else _column(replayed.lower[inside], i),
                    upper=None if replayed.upper is None else _column(replayed.upper[inside], i),
                )
            )
    with drawing_style():
        _save(path, predictions_figure(plots))


def _column(bound: Array | None, target: int) -> Values | None:
    return None if bound is None else bound[:, target].astype(np.float64)


def _check_panels(number: int) -> None:
    if number > _MOST_PANELS:
        raise OptionError(
            f"--plot draws every target of every series; {number} of them do not fit on one "
            f"page, at most {_MOST_PANELS} do: give it a table with fewer series"
        )


def _save(path: Path, figure: Figure) -> None:
    write_atomic(path, image_bytes(figure, path.suffix.lower().removeprefix(".")))
