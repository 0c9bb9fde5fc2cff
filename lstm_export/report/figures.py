"""A series and its forecast, beside it the end of a long one enlarged.

Figures are made without pyplot; draw them, and save what is drawn, inside `svg.drawing_style()`.
Long series are thinned to what the eye can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lstm_export.report.axes import FULL_WIDTH, MARKED, Values, band, legend, new_figure
from lstm_export.report.text import short
from lstm_export.report.theme import light
from lstm_export.report.thinning import thin
from lstm_export.report.times import time_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WHOLE = 150
"""A series of at most so many rows is drawn once, a longer one with its end enlarged beside it."""


@dataclass(frozen=True, slots=True)
class SeriesPlot:
    """One target of one series, and what is forecast past its end.

    `history` is (rows,) and `forecast` (steps,), in `unit`, as are the bounds of its intervals
    `lower` and `upper`; `times` and `forecast_times` are their timestamps as written. `gaps` are
    the rows before which something is missing, `validation` and `test` the first rows of those
    parts.
    """

    target: str
    unit: str
    times: Sequence[str]
    history: Values
    forecast_times: Sequence[str] = ()
    forecast: Values | None = None
    lower: Values | None = None
    upper: Values | None = None
    gaps: tuple[int, ...] = ()
    validation: int | None = None
    test: int | None = None
    time_format: str | None = None

    def last(self, rows: int) -> SeriesPlot:
        """The same without all but the last `rows` of the history."""
        start = max(0, len(self.history) - rows)

        def moved(row: int | None) -> int | None:
            return None if row is None else max(0, row - start)

        return replace(
            self,
            times=[self.times[i] for i in range(start, len(self.history))],
            history=self.history[start:],
            gaps=tuple(gap - start for gap in self.gaps if gap > start),
            validation=moved(self.validation),
            test=moved(self.test),
        )


def series_figure(plots: Sequence[SeriesPlot], *, close_up: int) -> Figure:
    """Each series with its forecast; of a long one the last `close_up` rows are enlarged beside."""
    figure = new_figure(FULL_WIDTH, 3.0 if len(plots) == 1 else 2.5 * len(plots))
    grid = figure.add_gridspec(len(plots), 2, width_ratios=(1.7, 1))
    for i, plot in enumerate(plots):
        if len(plot.history) <= WHOLE:
            axes = figure.add_subplot(grid[i, :])
            _draw_series(axes, plot)
        else:
            axes = figure.add_subplot(grid[i, 0])
            _draw_series(axes, plot)
            end = figure.add_subplot(grid[i, 1])
            _draw_series(end, plot.last(close_up), ticks=4)
            forecast = " and the forecast" if plot.forecast is not None else ""
            end.set_title(f"the last {close_up:,} rows{forecast}")
            end.set_ylabel("")
        axes.set_title(short(plot.target))
        legend(axes)
    return figure


def close_up_rows(steps: int, history: int = 0) -> int:
    """Rows worth enlarging before `steps` of forecast made from `history` rows."""
    return max(40, 2 * history, 4 * steps)


def _draw_series(axes: Axes, plot: SeriesPlot, ticks: int = 8) -> None:
    rows = drawn = thin(plot.history)
    times = [plot.times[i] for i in rows]
    scale = time_scale([*times, *plot.forecast_times], plot.time_format)
    x = scale.place(times, rows)
    line_x, line_y = _broken(x, plot.history[rows], rows, plot.gaps)
    axes.plot(
        line_x,
        line_y,
        color=light("series"),
        linewidth=1.2 if len(rows) <= WHOLE * 3 else 0.8,
        label="series",
    )
    if plot.forecast is not None and len(plot.forecast):
        steps = thin(plot.forecast)
        ahead_times = [plot.forecast_times[i] for i in steps]
        ahead_x = scale.place(ahead_times, len(plot.history) + steps)
        ahead = plot.forecast[steps]
        if len(rows):
            join_x, join_y = [x[-1], ahead_x[0]], [plot.history[-1], ahead[0]]
            axes.plot(join_x, join_y, color=light("forecast"), linewidth=1.1, ls=(0, (1, 1.5)))
        marker = "o" if len(steps) <= MARKED else ""
        if plot.lower is not None and plot.upper is not None:
            band(axes, ahead_x, plot.lower[steps], plot.upper[steps], "forecast")
        axes.plot(
            ahead_x,
            ahead,
            color=light("forecast"),
            linewidth=1.6,
            marker=marker,
            markersize=2.6,
            label="forecast",
        )
        times, rows = [*times, *ahead_times], np.concatenate([rows, len(plot.history) + steps])
    scale.label(axes, times, rows, ticks)
    axes.margins(x=0.012)
    _shade_parts(axes, plot, x, drawn)
    axes.set_ylabel(short(plot.unit or plot.target))


def _shade_parts(axes: Axes, plot: SeriesPlot, x: Values, rows: npt.NDArray[np.intp]) -> None:
    parts = (("validation", plot.validation, plot.test), ("test", plot.test, None))
    low, high = axes.get_ylim()
    if len(x) and (plot.validation, plot.test) != (None, None):
        axes.set_ylim(low, high + 0.08 * (high - low))  # room for the parts' names
    for name, first, after in parts:
        if first is None or not len(x) or first >= len(plot.history):
            continue
        left = x[int(np.searchsorted(rows, first))]
        until = len(x) - 1 if after is None else int(np.searchsorted(rows, after))
        right = x[min(until, len(x) - 1)]
        if right <= left:
            continue
        alpha = 1.0 if name == "test" else 0.55
        axes.axvspan(left, right, color=light("shade"), alpha=alpha, linewidth=0, zorder=0)
        axes.text(
            (left + right) / 2,
            0.97,
            name,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="top",
            color=light("muted"),
            fontsize=8,
        )


def _broken(
    x: Values, y: Values, rows: npt.NDArray[np.intp], gaps: Sequence[int]
) -> tuple[Values, Values]:
    """x and y with a NaN wherever a gap lies between two points, so that no line bridges it."""
    breaks = np.unique(np.searchsorted(rows, np.asarray(gaps, dtype=np.intp)))
    # Where a thinned series has a gap between most points, a line says more than dust.
    if len(breaks) > len(rows) // 8:
        return x, y
    return np.insert(x, breaks, np.nan), np.insert(y, breaks, np.nan)
