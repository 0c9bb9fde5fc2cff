"""One-step predictions against truth on the test part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.report.axes import FULL_WIDTH, MARKED, Values, band, legend, new_figure
from lstm_export.report.text import short
from lstm_export.report.theme import light
from lstm_export.report.thinning import thin
from lstm_export.report.times import time_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class PredictionPlot:
    """One target on the test part, one step ahead: truth, prediction, naive and the bounds of the
    intervals are (rows,)."""

    target: str
    unit: str
    times: Sequence[str]
    truth: Values
    prediction: Values
    naive: Values | None = None
    time_format: str | None = None
    lower: Values | None = None
    upper: Values | None = None


def predictions_figure(plots: Sequence[PredictionPlot]) -> Figure:
    """Per target: truth and prediction over time, and beside it one against the other."""
    figure = new_figure(FULL_WIDTH, 2.9 if len(plots) == 1 else 2.6 * len(plots))
    grid = figure.add_gridspec(len(plots), 2, width_ratios=(2.7, 1))
    for i, plot in enumerate(plots):
        over_time = figure.add_subplot(grid[i, 0])
        _draw_predictions(over_time, plot)
        over_time.set_title(short(plot.target))
        _draw_agreement(figure.add_subplot(grid[i, 1]), plot)
    return figure


def _draw_predictions(axes: Axes, plot: PredictionPlot) -> None:
    rows = thin(plot.truth)
    times = [plot.times[i] for i in rows]
    scale = time_scale(times, plot.time_format)
    x = scale.place(times, rows)
    marker = "o" if len(rows) <= MARKED else ""
    lines = (
        (plot.naive, "baseline", "naive", 0.9, "", (0, (2, 2))),
        (plot.truth, "series", "truth", 1.2, marker, "-"),
        (plot.prediction, "model", "model", 1.5, marker, "-"),
    )
    if plot.lower is not None and plot.upper is not None:
        band(axes, x, plot.lower[rows], plot.upper[rows], "model")
    for values, role, label, width, points, style in lines:
        if values is not None:
            axes.plot(
                x,
                values[rows],
                color=light(role),
                linewidth=width if marker else 0.7 * width,
                linestyle=style,
                marker=points,
                markersize=2.4,
                label=label,
            )
    scale.label(axes, times, rows)
    axes.margins(x=0.012)
    axes.set_ylabel(short(plot.unit or plot.target))
    legend(axes)


def _draw_agreement(axes: Axes, plot: PredictionPlot) -> None:
    rows = thin(plot.truth - plot.prediction)
    truth, prediction = plot.truth[rows], plot.prediction[rows]
    low, high = (float(f(np.concatenate([truth, prediction]))) for f in (np.nanmin, np.nanmax))
    pad = 0.04 * (high - low) or 1.0
    limits = (low - pad, high + pad)
    axes.plot(limits, limits, color=light("baseline"), linewidth=0.9, linestyle=(0, (2, 2)))
    axes.plot(
        truth, prediction, "o", color=light("model"), markersize=3, alpha=0.65, markeredgewidth=0
    )
    axes.set(xlim=limits, ylim=limits, aspect="equal", xlabel="truth", ylabel="predicted")
    from matplotlib.ticker import MaxNLocator

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
