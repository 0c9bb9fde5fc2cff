"""Parity error: the bundle's beside torch's own, as shares of the bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstm_export.report.axes import FULL_WIDTH, legend, log_axis, new_figure
from lstm_export.report.text import short
from lstm_export.report.theme import light

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 16
"""Outputs in one plot; of more, those nearest their bound are shown."""
EXACT = 1e-5
"""Where an error of nothing at all is drawn: a log scale has no zero."""
FAR = 1e6
"""Where errors beyond all measure are drawn, infinite ones among them."""
DOTS = 48
"""Cases of one output in the plot: of more, dots evenly through their order, both ends included."""

_DOTS: dict[str, Any] = {"markersize": 3.4, "alpha": 0.7, "markeredgewidth": 0}


@dataclass(frozen=True, slots=True)
class OutputErrors:
    """Errors of one output over its cases, as shares of each case's bound (1 is the limit).

    `bundle` is (cases,); `torch` is (cases,) with NaN where torch's error is not known.
    """

    name: str
    bundle: npt.NDArray[np.float64]
    torch: npt.NDArray[np.float64]


def parity_figure(outputs: Sequence[OutputErrors]) -> Figure:
    """One line per output: every case a dot for the bundle above one for torch, log scale."""
    shown = sorted(outputs, key=lambda output: -_worst(output.bundle))[:ROWS]
    figure = new_figure(FULL_WIDTH, 0.9 + 0.4 * len(shown))
    axes = figure.add_subplot()
    for row, output in enumerate(shown):
        for values, role, label, height in (
            (output.bundle, "model", "bundle", -0.16),
            (output.torch, "baseline", "torch float32", 0.16),
        ):
            shares = _spread(np.clip(values[~np.isnan(values)], EXACT, FAR))
            y = np.full(len(shares), row + height)
            line = label if row == 0 else None
            axes.plot(shares, y, "o", color=light(role), label=line, **_DOTS)
            if role == "model" and (beyond := shares > 1).any():
                axes.plot(shares[beyond], y[beyond], "o", color=light("bad"), **_DOTS)
    axes.axvline(1.0, color=light("bad"), linewidth=1.1, label="bound")
    axes.set_yticks(range(len(shown)), [short(output.name, 44) for output in shown])
    axes.set_ylim(len(shown) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    everything = np.concatenate([np.array([EXACT * 10, 1.6]), *(o.bundle for o in shown)])
    log_axis(axes.xaxis, np.clip(everything, EXACT, FAR), {EXACT: "none"})
    axes.set_xlabel("error as a share of its bound")
    legend(axes)
    return figure


def _worst(values: npt.NDArray[np.float64]) -> float:
    return float(np.nan_to_num(values, nan=np.inf).max(initial=0.0))


def _spread(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    ordered = np.sort(values)
    if len(ordered) <= DOTS:
        return ordered
    return ordered[np.linspace(0, len(ordered) - 1, DOTS).round().astype(np.intp)]
