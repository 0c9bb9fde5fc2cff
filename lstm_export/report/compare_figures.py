"""Cells side by side: what they reach, what they cost, and how far back their gradients go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.report.axes import FULL_WIDTH, log_axis, new_figure
from lstm_export.report.text import duration, number, short
from lstm_export.report.theme import light

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lstm_export.cells.comparison import Comparison

_ROLES = {
    "rnn": "forecast",
    "gru": "good",
    "lstm": "model",
    "rnn-equations": "bad",
    "gru-equations": "series",
    "lstm-equations": "ink",
}
_LOWEST = 1e-12
"""Shares of a gradient below this are off the scale: nothing is learned from them."""
_MOST_PANELS = 3
_HARDLY = 0.01
"""Scores whose range is a smaller share of them than this are taken for one."""
_DASHED = (0, (4, 2.5))


def sweep_figure(found: Comparison) -> Figure:
    """The score against T: the median over seeds, the room from the worst to the best shaded."""
    figure = new_figure(FULL_WIDTH, 3.5)
    axes = figure.add_subplot()
    places = np.array(found.steps, dtype=np.float64)
    for i, cell in enumerate(found.cells):
        scores = [found.score(cell, steps) for steps in found.steps]
        colour = light(_ROLES[cell])
        low, high = [s.smallest for s in scores], [s.largest for s in scores]
        axes.fill_between(places, low, high, color=colour, alpha=0.14, linewidth=0)
        medians = [s.median for s in scores]
        # Lines that lie upon each other are seen all the same: the lower ones are broader.
        broad = len(found.cells) - 1 - i
        axes.plot(
            places,
            medians,
            color=colour,
            marker="o",
            ms=4.5 + 2.2 * broad,
            lw=1.7 + 0.6 * broad,
            label=cell,
        )
    if found.chance is not None:
        axes.axhline(found.chance, color=light("baseline"), lw=1.1, ls=_DASHED, label="guessing")
        axes.set_ylim(0, 1.04)
    if len(places) > 1 and places.max() >= 4 * places.min():
        axes.set_xscale("log")
    axes.set_xticks(places, [f"{steps}" for steps in found.steps])
    axes.minorticks_off()
    axes.set_xlabel("T: steps between seeing the letter and naming it")
    axes.set_ylabel(f"{found.metric.name} on the test part")
    _legend(axes)
    return figure


def scores_figure(found: Comparison) -> Figure:
    """A row per cell: a dot for each seed, a bar at the median; baselines as dashed lines."""
    (steps,) = found.steps
    figure = new_figure(FULL_WIDTH, 1.0 + 0.5 * len(found.cells))
    axes = figure.add_subplot()
    for place, cell in enumerate(found.cells):
        colour, scores = light(_ROLES[cell]), [f.score for f in found.of(cell, steps)]
        axes.plot(scores, [place] * len(scores), "o", color=colour, ms=6, alpha=0.55, mew=0)
        middle = found.score(cell, steps).median
        axes.plot([middle] * 2, [place - 0.28, place + 0.28], color=colour, lw=2.4)
    shown = [f.score for f in found.findings]
    marks = dict(found.findings[0].others)
    if found.chance is not None:
        marks["guessing"] = found.chance
        marks.pop("majority", None)
    for name, value in _near(marks, shown).items():
        axes.axvline(value, color=light("baseline"), lw=1.1, ls=_DASHED)
        axes.annotate(
            f"{name} {number(value, 3)}",
            (value, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            color=light("muted"),
            size=8,
        )
    _name_rows(axes, found.cells)
    axes.margins(x=0.05)
    unit = f" ({short(found.metric.unit, 30)})" if found.metric.unit not in ("", "1") else ""
    axes.set_xlabel(f"{short(found.metric.name)}{unit} on the test part, a dot for each seed")
    return figure


def cost_figure(found: Comparison) -> Figure:
    """Bars: parameters, training time and latency, at the largest T of a sweep."""
    steps = found.steps[-1]
    figure = new_figure(FULL_WIDTH, 0.75 + 0.36 * len(found.cells))
    panels = figure.subplots(1, 3)
    times = [found.seconds(cell, steps) for cell in found.cells]
    columns: tuple[tuple[str, list[float], Callable[[float], str]], ...] = (
        (
            "parameters",
            [float(found.of(cell, steps)[0].parameters) for cell in found.cells],
            lambda value: f"{value:,.0f}",
        ),
        (
            "training, median run",
            [np.nan if time is None else time.median for time in times],
            lambda value: "–" if np.isnan(value) else duration(value),
        ),
        (
            "one sequence in the bundle",
            [found.latency[cell].seconds for cell in found.cells],
            duration,
        ),
    )
    for axes, (title, values, shown) in zip(panels, columns, strict=True):
        places = np.arange(len(values))
        colours = [light(_ROLES[cell]) for cell in found.cells]
        axes.barh(places, np.nan_to_num(values), color=colours, height=0.6, linewidth=0)
        for place, value in zip(places, values, strict=True):
            room = 0.0 if np.isnan(value) else value
            axes.annotate(
                shown(value),
                (room, place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                color=light("ink"),
                size=8.5,
            )
        _name_rows(axes, found.cells if axes is panels[0] else ("",) * len(values))
        axes.set_title(title)
        axes.set_xticks([])
        axes.grid(visible=False)
        axes.margins(x=0.28)
        axes.spines["bottom"].set_visible(False)
    return figure


def reach_figure(found: Comparison) -> Figure:
    """The gradient k steps back over that at k = 0: trained, and dashed before training.

    Of a sweep at most three T are drawn: the smallest, the middle one, the largest.
    """
    from matplotlib.ticker import MaxNLocator

    chosen = found.steps
    if len(chosen) > _MOST_PANELS:
        chosen = (chosen[0], chosen[len(chosen) // 2], chosen[-1])
    figure = new_figure(FULL_WIDTH, 3.5)
    panels = np.atleast_1d(figure.subplots(1, len(chosen), sharey=True))
    drawn = [_reach_panel(axes, found, steps) for axes, steps in zip(panels, chosen, strict=True)]
    values = np.clip(np.concatenate(drawn), _LOWEST, None)
    log_axis(panels[0].yaxis, values)
    if panels[0].get_yscale() == "log":
        panels[0].set_ylim(max(values.min() / 2, _LOWEST), values.max() * 2)
    panels[0].set_ylabel("share of the gradient that is left")
    for axes, steps in zip(panels, chosen, strict=True):
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel("k: steps back")
        if steps is not None:
            axes.set_title(f"T = {steps}")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=len(names), columnspacing=1.4)
    return figure


def _reach_panel(axes: Axes, found: Comparison, steps: int | None) -> np.ndarray:
    """Draws one T; the shares that it shows."""
    shown = []
    for cell in found.cells:
        reach = found.reach(cell, steps)
        assert reach is not None
        colour = light(_ROLES[cell])
        for curve, style, label in (
            (reach.trained, "-", cell),
            (reach.initial, _DASHED, f"{cell}, untrained"),
        ):
            share = np.array(curve) / curve[0]
            width = 1.9 if style == "-" else 1.1
            axes.plot(share, color=colour, ls=style, lw=width, label=label)
            shown.append(share)
    axes.margins(x=0.02)
    return np.concatenate(shown)


def _near(marks: dict[str, float], shown: Sequence[float]) -> dict[str, float]:
    """The marks not far from the models' own scores: others would press the dots together. Where
    these hardly differ, all of them."""
    low, high = min(shown), max(shown)
    room = high - low
    if room < _HARDLY * abs(high):
        return marks
    return {n: v for n, v in marks.items() if low - 2 * room <= v <= high + 2 * room}


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", labelcolor=light("ink"))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=7, borderaxespad=0.2, columnspacing=1.4
    )
