"""A layer over time: its gates and its state as heat maps (unit × time) between input and answer.

The columns of a heat map are those of the trace, at most some hundreds; of a wide layer the rows
are means over units that remember alike. So a figure does not grow with the model or the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.explain.gates import GATES, STATE
from lstm_export.report.axes import FULL_WIDTH, Values, legend, new_figure
from lstm_export.report.explain_steps import StepAxis
from lstm_export.report.text import short
from lstm_export.report.theme import light
from lstm_export.report.thinning import thin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from lstm_export.explain.explanation import Explanation, LayerFacts

ROWS = 96
"""At most so many rows of a heat map; more units are joined."""
_LINES = 4
"""At most so many features, or answers, are drawn as lines; more features as a heat map."""
_CHARACTERS, _WORDS = 90, 45
"""Texts of at most so many symbols are written out."""
_COLOURS = ("series", "model", "forecast", "good")


def heat_figure(found: Explanation, layer: LayerFacts) -> Figure:
    """Input, every gate, state and answer under one axis of time; longest memory at the top."""
    gates, state = GATES[layer.cell], STATE[layer.cell]
    tall = float(np.clip(0.03 * min(layer.hidden_size, ROWS), 0.85, 1.7))
    heights = [
        _input_height(found),
        *([tall] * (len(gates) + 1)),
        *([1.15] if found.answers else []),
    ]
    figure = new_figure(FULL_WIDTH, sum(heights) + 0.42 * len(heights) + 0.2)
    grid = figure.add_gridspec(len(heights), 2, width_ratios=(70, 1), height_ratios=heights)
    axis = StepAxis(found)
    panels = [figure.add_subplot(grid[i, 0]) for i in range(len(heights))]
    _input(panels[0], figure.add_subplot(grid[0, 1]), found)
    order = unit_order(layer)
    rows = [(gate.name, f"{gate.title}", gate.between) for gate in gates]
    largest = _largest(layer.trace.values["state"])
    rows.append(("state", state[1], (-largest, largest)))
    for panel, (name, title, between), i in zip(panels[1:], rows, range(1, 99), strict=False):
        values = _joined(layer.trace.values[name][:, order])
        image = panel.imshow(
            values.T,
            aspect="auto",
            interpolation="none",
            extent=(*axis.span(int(layer.trace.edges[-1])), layer.hidden_size, 0),
            vmin=between[0],
            vmax=between[1],
            cmap=_shut_to_open() if between[0] == 0 else _below_to_above(),
        )
        panel.set_title(title)
        panel.set_ylabel("unit")
        panel.set_yticks([])
        panel.grid(visible=False)
        bar = figure.colorbar(image, cax=figure.add_subplot(grid[i, 1]))
        bar.outline.set_visible(False)
        bar.set_ticks([between[0], sum(between) / 2, between[1]])
        bar.ax.tick_params(labelsize=7.5, length=0)
        if between[1] not in (0.0, 1.0):
            bar.set_ticklabels([f"−{largest:.2g}", "0", f"{largest:.2g}"])
    if found.answers is not None:
        _answer(panels[-1], found)
        figure.add_subplot(grid[len(heights) - 1, 1]).set_axis_off()
    for panel in panels:
        axis.apply(panel, named=panel is panels[-1])
    return figure


def unit_order(layer: LayerFacts) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The units, longest memory first; without a memory gate, by how much their state varies."""
    if layer.memory is not None:
        return np.argsort(-layer.memory, kind="stable")
    return np.argsort(-layer.trace.values["state"].std(axis=0), kind="stable")


def _input(axes: Axes, beside: Axes, found: Explanation) -> None:
    beside.set_axis_off()
    values, names = found.inputs, found.features
    if found.symbols is not None:
        _symbols(axes, found.symbols)
        return
    if len(names) > _LINES:
        edges = np.linspace(0, len(values), min(len(values), 480) + 1).astype(int)
        means = np.add.reduceat(values, edges[:-1], axis=0) / np.diff(edges)[:, np.newaxis]
        low, high = means.min(axis=0), means.max(axis=0)
        axes.imshow(
            ((means - low) / np.where(high > low, high - low, 1)).T,
            aspect="auto",
            interpolation="none",
            extent=(0, found.steps, len(names), 0),
            cmap=_shut_to_open(),
        )
        axes.set_title(f"input: {len(names)} features, each from its lowest to its highest value")
        axes.set_yticks([])
        axes.set_ylabel("feature")
        axes.grid(visible=False)
        return
    for i, name in enumerate(names):
        rows = thin(values[:, i])
        drawn = values[rows, i]
        if len(names) > 1:  # one panel, several units: each on a scale of its own
            drawn = (drawn - values[:, i].mean()) / (values[:, i].std() or 1.0)
        axes.plot(rows + 0.5, drawn, color=light(_COLOURS[i]), lw=1.2, label=short(name, 24))
    if len(names) > 1:
        axes.set_title("input, each in its standard deviations")
        legend(axes)
    else:
        axes.set_title(f"input: {short(names[0])}")


def _input_height(found: Explanation) -> float:
    """Inches: a line of characters needs few."""
    return 1.0 if found.symbols is None or max(map(len, found.symbols)) > 1 else 0.3


def _symbols(axes: Axes, symbols: Sequence[str]) -> None:
    """A text along its steps; words stand upright, so that more of them have room."""
    words = max(map(len, symbols)) > 1
    if len(symbols) <= (_WORDS if words else _CHARACTERS):
        for step, symbol in enumerate(symbols):
            axes.text(
                step + 0.5,
                0.5,
                short(symbol, 12) if words else symbol,
                rotation=90 if words else 0,
                ha="center",
                va="center",
                color=light("ink"),
                size=8.5 if words or len(symbols) > 60 else 11,
            )
    axes.set_title(f"input: {len(symbols):,} symbols")
    axes.set_yticks([])
    axes.grid(visible=False)


def _answer(axes: Axes, found: Explanation) -> None:
    answers = found.answers
    assert answers is not None
    ahead = 1 if found.task == "forecast" else 0
    picked = _picked(answers.values, len(answers.columns), first=bool(ahead))
    for place, i in enumerate(picked):
        column = answers.columns[i]
        axes.plot(
            answers.steps + 0.5 + ahead,
            answers.values[:, i],
            color=light(_colour(found, column, place)),
            lw=1.4,
            marker="o" if len(answers.steps) <= 40 else "",
            markersize=2.4,
            label=short(column, 24),
        )
    if ahead and len(picked) == 1 and answers.columns[0] in found.features:
        truth = found.inputs[:, found.features.index(answers.columns[0])]
        rows = thin(truth)
        axes.plot(rows + 0.5, truth[rows], color=light("series"), lw=1.0, label="series", zorder=1)
    when = "at every step" if answers.every_step else "had the series ended with that step"
    what = "forecast of the next row, made from those before" if ahead else f"answer, {when}"
    axes.set_title(what)
    legend(axes)


def _colour(found: Explanation, column: str, place: int) -> str:
    """That of the feature which is answered for, where features have colours of their own."""
    if 1 < len(found.features) <= _LINES and column in found.features:
        return _COLOURS[found.features.index(column)]
    return ("forecast", "model", "good", "baseline")[place]


def _picked(values: Values, columns: int, *, first: bool) -> list[int]:
    if columns <= _LINES or first:
        return list(range(min(columns, _LINES)))
    varied = np.argsort(-values.std(axis=0), kind="stable")[:_LINES].tolist()
    return sorted(varied, key=lambda column: -float(values[-1, column]))


def _joined(values: Values) -> Values:
    """(columns, units) with at most ROWS units: means of neighbours."""
    units = values.shape[1]
    if units <= ROWS:
        return values
    edges = np.linspace(0, units, ROWS + 1).astype(int)
    sums: Values = np.add.reduceat(values, edges[:-1], axis=1)
    return sums / np.diff(edges)


def _largest(values: Values) -> float:
    """A symmetric limit that a few outliers do not decide."""
    return float(np.quantile(np.abs(values), 0.995)) or 1.0


def _shut_to_open() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    colours = ["#f7f1e3", "#bcd4ee", "#5b9be0", light("model"), "#0b2d63"]
    return LinearSegmentedColormap.from_list("shut to open", colours)


def _below_to_above() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    below, above = ["#6e2a02", light("forecast"), "#f0b48a"], ["#9cc3ef", light("model"), "#0b2d63"]
    return LinearSegmentedColormap.from_list("below to above", [*below, "#f7f3ea", *above])
