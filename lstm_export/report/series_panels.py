"""The series of a run with the forecast of its bundle, as plots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstm_export.contract import Forecast
from lstm_export.data.series import Segment, Series
from lstm_export.data.split import TEST, VALIDATION, parts, series_bounds
from lstm_export.data.time import continue_times
from lstm_export.errors import LstmExportError, OptionError
from lstm_export.report.axes import Values
from lstm_export.report.figures import SeriesPlot
from lstm_export.report.text import short

PANELS = 3
"""Targets that are drawn; a table of more would be no picture."""
COVERAGE = 0.9
"""Of the band around a forecast."""


@dataclass(frozen=True, slots=True)
class Panels:
    """Plots of the first targets of one series, and what was left out, in words."""

    plots: list[SeriesPlot]
    note: str
    steps: int
    """Rows of forecast; 0 where there is none."""


def series_panels(
    series: Series,
    terms: Forecast,
    bundle: Path | None,
    *,
    validation: float,
    test: float,
    horizon: int,
) -> Panels:
    """The longest series and, where there is a bundle, its forecast of `horizon` rows.

    `validation` and `test` are the fractions of the split. A bundle that cannot forecast this
    series gives no forecast, and the note says why.
    """
    start, stop = max(series_bounds(series), key=lambda bounds: bounds[1] - bounds[0])
    mine = [segment for segment in series.segments if start <= segment.start < stop]
    notes = _left_out(series, terms, mine)
    forecast = lower = upper = None
    times: list[str] = []
    if bundle is not None:
        try:
            forecast, lower, upper = _forecast(bundle, series, mine[-1], terms, horizon)
            if lower is not None:
                notes.append(f"The band is the forecast's interval for a coverage of {COVERAGE:g}.")
            times = continue_times(series.time, series.timestamps[stop - 1], len(forecast))
        except LstmExportError as error:
            notes.append(f"There is no forecast: {error}.")
    part = parts(series, validation, test)[start:stop]
    whole = stop - start == len(series.timestamps)
    stamps = series.timestamps if whole else series.timestamps[start:stop]
    plots = [
        SeriesPlot(
            target=column.name,
            unit=column.unit,
            times=stamps,
            history=series.target_values[start:stop, i],
            forecast_times=times,
            forecast=None if forecast is None else forecast[:, i],
            lower=None if lower is None else lower[:, i],
            upper=None if upper is None else upper[:, i],
            gaps=tuple(segment.start - start for segment in mine[1:]),
            validation=_first(part == VALIDATION),
            test=_first(part == TEST),
            time_format=terms.time.format if terms.time else None,
        )
        for i, column in enumerate(terms.targets[:PANELS])
    ]
    return Panels(plots, " ".join(notes), 0 if forecast is None else len(forecast))


def _forecast(
    bundle: Path, series: Series, last: Segment, terms: Forecast, horizon: int
) -> tuple[Values, Values | None, Values | None]:
    """The forecast (horizon, targets), and where there are intervals their bounds."""
    from lstm_export.runtime.load import load_forecaster

    model = load_forecaster(bundle)
    rows = series.values[last.start : last.stop][-terms.window.history :]
    try:
        found = model.forecast(rows, horizon=horizon, coverage=COVERAGE)
    except OptionError:  # none, or none so far ahead
        return model.forecast(rows, horizon=horizon).astype(np.float64), None, None
    forecast, lower, upper = (part.astype(np.float64) for part in found)
    return forecast, lower, upper


def _left_out(series: Series, terms: Forecast, mine: list[Segment]) -> list[str]:
    notes = []
    names = {segment.series for segment in series.segments}
    if len(names) > 1:
        notes.append(f"Shown is {short(mine[0].series)!r}, the longest of {len(names)} series.")
    if (count := len(terms.targets)) > PANELS:
        notes.append(f"Shown are the first {PANELS} of {count} targets.")
    return notes


def _first(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> int | None:
    return int(mask.argmax()) if mask.any() else None
