"""Training and validation loss by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.report.axes import HALF_WIDTH, legend, log_axis, new_figure
from lstm_export.report.text import number
from lstm_export.report.theme import light
from lstm_export.report.thinning import thin

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses by epoch, as in `metrics.jsonl`; `best` is the epoch whose weights were kept."""

    epochs: Sequence[int]
    train: Sequence[float]
    validation: Sequence[float | None]
    best: int | None = None


def losses_figure(losses: Losses, what: str = "loss (scaled units, squared)") -> Figure:
    """Training and validation loss by epoch, log scale, the best epoch marked; `what` it is."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(HALF_WIDTH, 3.0)
    axes = figure.add_subplot()
    epochs = np.asarray(losses.epochs)
    train = np.array(losses.train, dtype=np.float64)
    validation = np.array(
        [np.nan if loss is None else loss for loss in losses.validation], dtype=np.float64
    )
    marker = "o" if len(epochs) == 1 else ""
    for values, role, label in (
        (train, "series", "training"),
        (validation, "model", "validation"),
    ):
        if np.isfinite(values).any():
            rows = thin(values)
            axes.plot(
                epochs[rows], values[rows], color=light(role), marker=marker, label=label, lw=1.3
            )
    found = np.flatnonzero(epochs == losses.best)
    if len(found) and np.isfinite(height := float(validation[found[0]])):
        best = int(epochs[found[0]])
        axes.axvline(best, color=light("forecast"), linewidth=0.8, linestyle=(0, (2, 2)))
        axes.plot(
            best,
            height,
            "o",
            color=light("forecast"),
            markersize=4.5,
            label=f"best: epoch {best}, {number(height)}",
        )
    log_axis(axes.yaxis, np.concatenate([train, validation]))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel(what)
    legend(axes)
    return figure
