"""How open the gates of a layer are, how long its units remember, and what each gate is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_export.report.axes import FULL_WIDTH, HALF_WIDTH, log_axis, new_figure
from lstm_export.report.text import number, percent
from lstm_export.report.theme import light
from lstm_export.report.thinning import thin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from lstm_export.explain.explanation import LayerFacts

# Plain colours, none of a role: they, and the words upon them, are the same on dark paper.
_SHUT, _BETWEEN, _OPEN = "#e8dcc0", "#9cc3ef", "#174a93"
_DARK, _PALE = "#161d27", "#ffffff"


def shares_figure(layer: LayerFacts) -> Figure:
    """A bar per gate: the shares of its values below 0.1, between, and above 0.9."""
    figure = new_figure(HALF_WIDTH, 2.6)
    axes = figure.add_subplot()
    names = [gate.name for gate in layer.gates]
    shut = np.array([gate.near_zero for gate in layer.gates])
    opened = np.array([gate.near_one for gate in layer.gates])
    parts = (
        ("near 0", shut, _SHUT, _DARK),
        ("between", 1 - shut - opened, _BETWEEN, _DARK),
        ("near 1", opened, _OPEN, _PALE),
    )
    left = np.zeros(len(names))
    places = np.arange(len(names))[::-1]
    for label, share, colour, ink in parts:
        axes.barh(places, share, left=left, color=colour, height=0.62, label=label, linewidth=0)
        for place, width, start in zip(places, share, left, strict=True):
            if width >= 0.09:
                axes.text(
                    start + width / 2,
                    place,
                    percent(width),
                    ha="center",
                    va="center",
                    color=ink,
                    size=8,
                )
        left = left + share
    axes.set_yticks(places, [f"{name} gate" for name in names])
    axes.tick_params(axis="y", labelcolor=light("ink"))
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes.grid(visible=False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)
    return figure


def memory_figure(layer: LayerFacts, steps: int) -> Figure:
    """The memory of every unit in steps, longest first; log scale where they differ much."""
    assert layer.memory is not None
    figure = new_figure(HALF_WIDTH, 2.6)
    axes = figure.add_subplot()
    lengths = np.sort(layer.memory)[::-1]
    finite = np.isfinite(lengths) & (lengths > 0)
    rows = np.flatnonzero(finite)
    rows = rows[thin(lengths[rows])]
    axes.plot(rows + 1, lengths[rows], color=light("model"), lw=1.2, marker="o", markersize=3)
    if len(rows) and lengths[rows].max() > steps / 3:
        axes.axhline(steps, color=light("forecast"), lw=1, ls=(0, (4, 3)))
        axes.annotate(
            "the series' length",
            (1, steps),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            color=light("forecast"),
            size=8,
        )
    if len(rows):
        log_axis(axes.yaxis, lengths[rows])
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)
    axes.set_xlim(0.5, len(lengths) + 0.5)
    never = int(np.isinf(lengths).sum())
    axes.set_xlabel("unit, by memory" + (f"; {never} never forget" if never else ""))
    axes.set_ylabel("steps")
    return figure


def switches_figure(layers: Sequence[LayerFacts]) -> Figure:
    """A bar per layer and gate switched off: the change of the answer."""
    rows = [(layer, effect) for layer in layers for effect in layer.switches]
    scaled = all(effect.relative is not None for _, effect in rows)
    values = [effect.relative if scaled else effect.rms for _, effect in rows]
    figure = new_figure(FULL_WIDTH, 0.29 * len(rows) + 0.3 * len(layers) + 0.5)
    axes = figure.add_subplot()
    place, places = 0.0, []
    for i, (layer, _) in enumerate(rows):
        if len(layers) > 1 and (i == 0 or layer is not rows[i - 1][0]):
            place -= 0.25 if i else 0.0
            axes.text(
                0, place, layer.title, va="center", weight="bold", color=light("ink"), size=8.5
            )
            place -= 0.85
        places.append(place)
        place -= 1
    numbers = np.array([value or 0.0 for value in values])
    axes.barh(places, numbers, height=0.66, color=light("model"), linewidth=0)
    for spot, value in zip(places, numbers.tolist(), strict=True):
        axes.text(value, spot, f" {number(value, 3)}", va="center", color=light("muted"), size=8)
    axes.set_yticks(places, [f"{effect.name}  ({effect.meaning})" for _, effect in rows])
    axes.tick_params(axis="y", labelcolor=light("ink"))
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.08, y=0.03)
    unit = "standard deviations of the answer" if scaled else "the answer's own units"
    axes.set_xlabel(f"change of the answer, RMS, in {unit}")
    return figure
