"""How many rows a season has."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_export.contract import TimeAxis
from lstm_export.data.series import Series
from lstm_export.data.split import TRAIN, Parts

_DAY = 86_400
_YEAR_OF_WEEKS = 52
_LONGEST = 100_000
"""Rows that are searched for a season; more would say the same."""
_FAINTEST = 0.2
"""An autocorrelation below this is no season."""


def season_of(series: Series, parts: Parts) -> int:
    """The season in rows: the calendar's where the time axis has one, else the strongest peak of
    the first target's autocorrelation in the training part, else 1.

    A season counts only if the training part has a stretch of two of it.
    """
    stretch = _longest_training_stretch(series, parts)
    calendar = _calendar_season(series.time)
    if calendar and len(stretch) >= 2 * calendar:
        return calendar
    return _autocorrelation_peak(stretch)


def _calendar_season(axis: TimeAxis | None) -> int:
    """12 for months, 4 for quarters, 52 for weeks, 7 for days, a day for finer steps; else 0."""
    if axis is None:
        return 0
    if axis.unit == "month":
        return 12 // axis.step if 12 % axis.step == 0 and axis.step < 12 else 0
    if axis.unit == "day":
        return {1: 7, 7: _YEAR_OF_WEEKS}.get(axis.step, 0)
    if axis.unit == "business day":
        return 5 if axis.step == 1 else 0
    if axis.unit == "second":
        return _DAY // axis.step if _DAY % axis.step == 0 and axis.step < _DAY else 0
    return 0


def _longest_training_stretch(series: Series, parts: Parts) -> npt.NDArray[np.float64]:
    longest = series.target_values[:0, 0]
    for segment in series.segments:
        rows = series.target_values[segment.start : segment.stop, 0]
        rows = rows[parts[segment.start : segment.stop] == TRAIN]
        if len(rows) > len(longest):
            longest = rows
    return longest[-_LONGEST:]


def _autocorrelation_peak(values: npt.NDArray[np.float64]) -> int:
    """The lag from 2 on with the highest local maximum of the detrended autocorrelation."""
    rows = len(values)
    if rows < 8:
        return 1
    t = np.arange(rows) - (rows - 1) / 2
    centred = values - values.mean()
    detrended = centred - t * (t @ centred) / (t @ t)
    power = np.abs(np.fft.rfft(detrended, 2 * rows)) ** 2
    correlation = np.fft.irfft(power)[: rows // 2 + 1]
    if not correlation[0] > 0:
        return 1
    correlation = correlation / correlation[0]
    inner = correlation[1:-1]
    peaks = 1 + np.flatnonzero((inner > correlation[:-2]) & (inner >= correlation[2:]))
    peaks = peaks[(peaks >= 2) & (correlation[peaks] > _FAINTEST)]
    return int(peaks[np.argmax(correlation[peaks])]) if len(peaks) else 1
