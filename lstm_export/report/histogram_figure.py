"""How the errors of all values are spread, by power of ten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.report.axes import FULL_WIDTH, new_figure
from lstm_export.report.text import short
from lstm_export.report.theme import light

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_ACROSS = 3
_EVERY = 3
"""Of so many powers of ten one is named in a small panel."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How the errors of one runtime are spread; `wrong` where any is beyond its bound."""

    name: str
    counts: Sequence[int]
    wrong: bool = False


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


def histograms_figure(spreads: Sequence[Spread], log10_edges: Sequence[int]) -> Figure:
    """A small panel for each of `spreads`, all on one scale, so that they can be compared."""
    down = math.ceil(len(spreads) / _ACROSS)
    figure = new_figure(FULL_WIDTH, 1.45 * down + 0.25)
    tallest = max(float(np.max(spread.counts, initial=0)) for spread in spreads)
    for place, spread in enumerate(spreads):
        axes = figure.add_subplot(down, _ACROSS, place + 1)
        colour = light("bad" if spread.wrong else "series")
        axes.bar(range(len(spread.counts)), spread.counts, width=0.82, color=colour, linewidth=0)
        # Between bin i and the next lies the edge 10**log10_edges[i].
        named = range(0, len(log10_edges), _EVERY)
        axes.set_xticks(
            [i + 0.5 for i in named], [f"1e{log10_edges[i]}".replace("-", "−") for i in named]
        )
        axes.grid(axis="x", visible=False)
        axes.set_yscale("symlog", linthresh=1)
        axes.set_yticks([])
        axes.set_xlim(-0.6, len(spread.counts) - 0.4)
        axes.set_ylim(0, max(10.0, 2.0 * tallest))
        words = short(spread.name, 26) + (": wrong" if spread.wrong else "")
        axes.set_title(words, color=light("bad" if spread.wrong else "ink"))
    return figure
