"""Numbers that were answered against the truth, and what is left over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lstm_export.report.axes import FULL_WIDTH, Values, new_figure
from lstm_export.report.text import short
from lstm_export.report.theme import light

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 2000
"""More would be one blot, and a large page."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One target: its truth and its predictions, (sequences,)."""

    target: str
    unit: str
    truth: Values
    prediction: Values


def agreement_figure(plots: Sequence[Agreement]) -> Figure:
    """Per target: prediction against truth, errors against truth, and how the errors spread."""
    figure = new_figure(FULL_WIDTH, 3.1 * len(plots))
    grid = figure.add_gridspec(len(plots), 3, width_ratios=(1, 1.35, 0.55))
    for i, plot in enumerate(plots):
        name = short(plot.target) + (f" ({short(plot.unit, 12)})" if plot.unit else "")
        rows = _chosen(plot)
        beside, over = figure.add_subplot(grid[i, 0]), figure.add_subplot(grid[i, 1])
        _draw_agreement(beside, plot.truth[rows], plot.prediction[rows])
        beside.set_title(name)
        error = plot.prediction - plot.truth
        over.axhline(0, color=light("baseline"), linewidth=0.9, linestyle=(0, (2, 2)))
        _points(over, plot.truth[rows], error[rows])
        over.set(xlabel="truth", ylabel="predicted − truth")
        over.set_title("errors")
        spread = figure.add_subplot(grid[i, 2], sharey=over)
        bins = int(np.clip(np.sqrt(len(error)), 5, 40))
        spread.hist(error, bins=bins, orientation="horizontal", color=light("series"))
        spread.tick_params(labelleft=False)
        spread.set_xlabel("sequences")
    return figure


def _chosen(plot: Agreement) -> npt.NDArray[np.intp]:
    """An even choice of positions, with the largest errors among them."""
    count = len(plot.truth)
    if count <= _POINTS:
        return np.arange(count)
    worst = np.argsort(-np.abs(plot.prediction - plot.truth), kind="stable")[:50]
    even = np.linspace(0, count - 1, _POINTS - len(worst)).astype(np.intp)
    return np.unique(np.concatenate([even, worst]))


def _draw_agreement(axes: Axes, truth: Values, prediction: Values) -> None:
    from matplotlib.ticker import MaxNLocator

    both = np.concatenate([truth, prediction])
    low, high = float(both.min()), float(both.max())
    pad = 0.04 * (high - low) or 1.0
    limits = (low - pad, high + pad)
    axes.plot(limits, limits, color=light("baseline"), linewidth=0.9, linestyle=(0, (2, 2)))
    _points(axes, truth, prediction)
    axes.set(xlim=limits, ylim=limits, aspect="equal", xlabel="truth", ylabel="predicted")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))


def _points(axes: Axes, x: Values, y: Values) -> None:
    axes.plot(x, y, "o", color=light("model"), markersize=3, alpha=0.55, markeredgewidth=0)
