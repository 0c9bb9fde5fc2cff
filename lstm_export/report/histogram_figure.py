"""How the errors of all values are spread, by power of ten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.report.axes import FULL_WIDTH, new_figure
from lstm_export.report.theme import light

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def histogram_figure(counts: Sequence[int], log10_edges: Sequence[int]) -> Figure:
    """A bar per bin: below the first edge, between two edges, from the last edge on."""
    figure = new_figure(FULL_WIDTH, 2.3)
    axes = figure.add_subplot()
    heights = np.asarray(counts)
    axes.bar(np.arange(len(heights)), heights, width=0.82, color=light("series"), linewidth=0)
    names = [
        f"< 1e{log10_edges[0]}",
        *(f"1e{edge}" for edge in log10_edges[:-1]),
        f"≥ 1e{log10_edges[-1]}",
    ]
    axes.set_xticks(np.arange(len(heights)), [name.replace("-", "−") for name in names])
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="x", visible=False)
    for x, height in enumerate(heights):
        if height:
            axes.text(
                x, height, f"{height:,}", ha="center", va="bottom", color=light("muted"), size=7.5
            )
    axes.set_yscale("symlog", linthresh=1)
    axes.set_yticks([])
    axes.set_ylim(0, max(10.0, 3.0 * float(heights.max(initial=0))))
    axes.set_xlabel("absolute error of one value, from")
    return figure
