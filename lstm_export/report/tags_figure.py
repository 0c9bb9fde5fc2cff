"""Tagged sequences: what was read, and below it the truth and the answer as coloured bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_export.report.axes import FULL_WIDTH, Values, new_figure
from lstm_export.report.text import short
from lstm_export.report.theme import light

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("model", "forecast", "good", "bad", "series")
_OTHER = "baseline"
_LINES = 4
"""Features that are drawn; more would hide each other."""
MOST_STEPS = 400
"""Of a longer sequence the first steps are drawn."""
MOST_WORDS = 28
"""Of a longer text the first words are drawn: each is written out."""


@dataclass(frozen=True, slots=True)
class TaggedPlot:
    """One sequence. `values` (steps, features) of rows, `words` of a text; `truth`, where it is
    known, and `answer` are labels, one per step."""

    name: str
    values: Values | None
    words: Sequence[str] | None
    truth: Sequence[str] | None
    answer: Sequence[str]


def tags_figure(plots: Sequence[TaggedPlot], labels: Sequence[str]) -> Figure:
    """A panel per sequence. `labels`, the frequent ones first, get a colour each while there are
    any; the others share one."""
    from matplotlib.patches import Patch

    colours = {label: _COLOURS[i] for i, label in enumerate(labels[: len(_COLOURS)])}
    tall = 1.0 if plots[0].words is not None else 1.75
    figure = new_figure(FULL_WIDTH, tall * len(plots) + 0.45)
    for i, plot in enumerate(plots):
        axes = figure.add_subplot(len(plots), 1, i + 1)
        bands = [("truth", plot.truth), ("answer", plot.answer)]
        shown = [(name, band) for name, band in bands if band is not None]
        if plot.words is not None:
            _draw_words(axes, plot, shown, colours)
        else:
            _draw_values(axes, plot, shown, colours)
        name = short(plot.name)
        axes.set_title(name if plot.words else f"sequence {name}", fontweight="normal")
    if plots[-1].words is None:
        axes.set_xlabel("step")
    patches = [Patch(color=light(role), label=short(label)) for label, role in colours.items()]
    if len(labels) > len(colours):
        patches.append(Patch(color=light(_OTHER), label=f"{len(labels) - len(colours)} others"))
    figure.legend(handles=patches, loc="outside upper right", ncols=len(patches))
    return figure


def _draw_values(
    axes: Axes,
    plot: TaggedPlot,
    bands: Sequence[tuple[str, Sequence[str]]],
    colours: dict[str, str],
) -> None:
    assert plot.values is not None
    values = plot.values[:MOST_STEPS, :_LINES]
    low, high = values.min(axis=0), values.max(axis=0)
    if values.shape[1] > 1:  # of several units: each from 0 to 1
        values = (values - low) / np.where(high > low, high - low, 1.0)
    bottom, top = float(values.min()), float(values.max())
    unit = (top - bottom or 1.0) / 6
    steps = np.arange(len(values)) + 0.5
    for i, line in enumerate(values.T):
        axes.plot(steps, line, color=light("series"), linewidth=1.1, alpha=1 - 0.2 * i)
    heights = [bottom - unit * (1.6 + 1.5 * i) for i in range(len(bands))]
    for height, (_, band) in zip(heights, bands, strict=True):
        _band(axes, band[:MOST_STEPS], height, unit * 1.2, colours)
    axes.set(xlim=(0, len(values)), ylim=(heights[-1] - unit / 3, top + unit / 2))
    ticks = [height + unit * 0.6 for height in heights]
    axes.set_yticks(ticks, [name for name, _ in bands])
    axes.grid(axis="y", visible=False)


def _draw_words(
    axes: Axes,
    plot: TaggedPlot,
    bands: Sequence[tuple[str, Sequence[str]]],
    colours: dict[str, str],
) -> None:
    words = list(plot.words or ())[:MOST_WORDS]
    heights = [1.15 * i for i in range(len(bands))]
    for height, (_, band) in zip(heights, bands, strict=True):
        _band(axes, band[:MOST_WORDS], height, 1.0, colours)
    edges = np.arange(len(words)) + 0.5
    slanted = len(words) > 10
    turned: dict[str, Any] = (
        {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    )
    axes.set_xticks(edges, [short(word, 12) for word in words], **turned)
    axes.set_yticks([height + 0.5 for height in heights], [name for name, _ in bands])
    axes.set(xlim=(0, max(len(words), 12)), ylim=(heights[-1] + 1.1, -0.1))
    axes.tick_params(length=0)
    axes.grid(visible=False)


def _band(
    axes: Axes, labels: Sequence[str], bottom: float, height: float, colours: dict[str, str]
) -> None:
    """Runs of one label as one bar each."""
    array = np.array(labels, dtype=object)
    starts = np.flatnonzero(np.concatenate([[True], array[1:] != array[:-1]]))
    ends = np.append(starts[1:], len(array))
    roles = [colours.get(label, _OTHER) for label in array[starts].tolist()]
    axes.broken_barh(
        list(zip(starts.tolist(), (ends - starts).tolist(), strict=True)),
        (bottom, height),
        facecolors=[light(role) for role in roles],
        linewidth=0,
    )
