"""What a forecaster has to beat: naive, seasonal naive and drift, at the same windows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Window
from lstm_export.data.series import Series
from lstm_export.data.windows import Rows
from lstm_export.errors import OptionError

Forecasts = npt.NDArray[np.float64]

NAIVE, SEASONAL_NAIVE, DRIFT = "naive", "seasonal naive", "drift"


def baseline_forecasts(
    series: Series, starts: Rows, window: Window, season: int
) -> dict[str, Forecasts]:
    """The baselines' forecasts in raw units, each (windows, horizon, targets).

    With r the last row that a window sees: naive repeats y[r]; seasonal naive repeats the last
    `season` rows, and is naive where the segment has not had a whole season yet; drift goes on
    along the line from the segment's first row to r. Only rows up to r of the same segment are
    used (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 5.2).
    """
    if season < 1:
        raise OptionError(f"the season must be at least 1 row, got {season}")
    y = series.target_values
    last = (starts + window.history - 1)[:, np.newaxis]
    steps = np.arange(window.horizon)
    first_rows = np.array([segment.start for segment in series.segments], dtype=np.int64)
    begin = first_rows[np.searchsorted(first_rows, last, side="right") - 1]

    seasonal = last + 1 - season + steps % season
    seasonal = np.where(last + 1 - season >= begin, seasonal, last)
    rows_seen = np.maximum(last - begin, 1)[..., np.newaxis]
    slope = (y[last] - y[begin]) / rows_seen
    return {
        NAIVE: np.repeat(y[last], window.horizon, axis=1),
        SEASONAL_NAIVE: y[seasonal],
        DRIFT: y[last] + slope * (steps + 1)[:, np.newaxis],
    }
