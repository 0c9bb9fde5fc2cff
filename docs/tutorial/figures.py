"""The figures of the page, each from the runs that its commands made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from picture import picture
from runs import Runs

from lstm_export.explain.explain import explain
from lstm_export.explain.inputs.choice import Choice
from lstm_export.report.axes import FULL_WIDTH, legend, log_axis, new_figure
from lstm_export.report.explain_heat import heat_figure
from lstm_export.report.theme import light

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELLS = {"rnn": "series", "gru": "forecast", "lstm": "model"}
"""The colour of each cell."""


@picture("A noisy sine; four values in a box, and the next one to be forecast from them.")
def window(runs: Runs) -> Figure:
    x = np.array(runs.column("sine.csv", "x"))
    figure = new_figure(FULL_WIDTH, 2.7)
    whole, near = figure.subplots(1, 2, width_ratios=(1.35, 1))
    rows = np.arange(1, len(x) + 1)
    whole.plot(rows, x, color=light("series"), lw=0.6)
    whole.set_title("the series, and its three parts")
    for end, name in ((650, "training"), (800, "validation"), (1000, "test")):
        whole.axvline(end, color=light("line"), lw=1.2)
        whole.text(end - 8, 1.62, name, ha="right", color=light("muted"))
    whole.set_ylim(-1.9, 1.9)
    whole.set_xlim(0, 1001)
    whole.set_xlabel("i")
    part = slice(99, 112)
    near.plot(rows[part], np.sin(0.01 * rows[part]), color=light("baseline"), lw=1, label="sine")
    near.plot(rows[part], x[part], "o", color=light("series"), markersize=4, label="with noise")
    low, high = x[103:107].min() - 0.1, x[103:107].max() + 0.1
    near.add_patch(
        Rectangle((103.5, low), 4, high - low, facecolor="none", edgecolor=light("model"), lw=1.5)
    )
    near.plot(108, x[107], "o", color=light("forecast"), markersize=6, label="to forecast")
    near.set_xlabel("i (a window of four, and the next value)")
    legend(near)
    return figure


@picture("One cell, drawn four times: each takes a value, and the state from the one before.")
def unrolled(runs: Runs) -> Figure:
    figure = new_figure(FULL_WIDTH, 2.1)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(-1.2, 9.9)
    axes.set_ylim(-1.45, 1.5)
    axes.set_aspect("equal")
    for i in range(4):
        centre = 2 * i
        axes.add_patch(
            Rectangle(
                (centre - 0.5, -0.4), 1, 0.8, facecolor=light("shade"), edgecolor=light("model")
            )
        )
        _words(axes, centre, 0, "cell")
        axes.add_patch(Circle((centre, -1.15), 0.24, facecolor="none", edgecolor=light("series")))
        _words(axes, centre, -1.15, f"x{'₁₂₃₄'[i]}")
        _arrow(axes, (centre, -0.9), (centre, -0.42), "series")
        _arrow(axes, (centre + 0.52, 0), (centre + 1.48, 0), "model")
        _words(axes, centre + 1, 0.24, f"h{'₁₂₃₄'[i]}")
    _arrow(axes, (-1.1, 0), (-0.52, 0), "model")
    _words(axes, -0.85, 0.24, "h₀ = 0")
    axes.add_patch(
        Rectangle((7.5, -0.4), 1, 0.8, facecolor="none", edgecolor=light("forecast"), lw=1)
    )
    _words(axes, 8, 0, "head")
    _arrow(axes, (8.52, 0), (9.3, 0), "forecast")
    _words(axes, 9.55, 0, "x₅?")
    _words(axes, 3, 1.05, "the same weights in every step", "muted")
    axes.plot([-0.5, -0.5, 6.5, 6.5], [0.68, 0.8, 0.8, 0.68], color=light("baseline"), lw=1)
    return figure


def _words(axes: Axes, x: float, y: float, text: str, role: str = "ink") -> None:
    axes.text(x, y, text, ha="center", va="center", color=light(role), size=9.5)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], role: str) -> None:
    arrow = FancyArrowPatch(
        start, end, arrowstyle="-|>", mutation_scale=9, color=light(role), shrinkA=0, shrinkB=0
    )
    axes.add_patch(arrow)


@picture("The gradient that reaches back k steps in RNN, GRU and LSTM, before and after training.")
def reach(runs: Runs) -> Figure:
    found = [row for row in runs.json("compare recall --steps")["results"] if row["steps"] == 100]
    figure = new_figure(FULL_WIDTH, 2.9)
    panels = figure.subplots(1, 2, sharey=True)
    when = (("initial", "before training"), ("trained", "after training"))
    for axes, (key, title) in zip(panels, when, strict=True):
        for row in found:
            norms = np.array(row["gradient"][key])
            shares = norms / norms[0]
            axes.plot(shares, color=light(CELLS[row["cell"]]), label=row["cell"].upper(), lw=1.5)
        log_axis(axes.yaxis, np.array([1e-9, 1.0]))
        axes.set_ylim(1e-9, 5)
        axes.set_title(title)
        axes.set_xlabel("k, steps back")
        legend(axes)
    panels[0].set_ylabel("gradient at k, of that at 0")
    return figure


@picture("The gates and the cell state of eight units while they read a letter and 20 fillers.")
def gates(runs: Runs) -> Figure:
    found = explain(runs.folder / "bundles" / "recall", "recall", Choice(index=0), ())
    return heat_figure(found, found.layers[0])


@picture("Accuracy against the number of steps T that a letter must be remembered.")
def recall(runs: Runs) -> Figure:
    found = runs.json("compare recall --steps")
    figure = new_figure(FULL_WIDTH * 0.62, 2.9)
    axes = figure.add_subplot()
    places = sorted({row["steps"] for row in found["results"]})
    for cell, role in CELLS.items():
        rows = [row for row in found["results"] if row["cell"] == cell]
        axes.plot(
            range(len(places)),
            [row["score"]["median"] for row in rows],
            "o-",
            color=light(role),
            label=cell.upper(),
            lw=1.5,
            markersize=4,
        )
        for i, row in enumerate(rows):
            axes.plot([i] * len(row["scores"]), row["scores"], "_", color=light(role), alpha=0.6)
    axes.axhline(found["chance"], color=light("baseline"), lw=1, linestyle=(0, (2, 2)))
    axes.text(-0.1, found["chance"] + 0.02, "guessing", color=light("muted"))
    axes.set_xticks(range(len(places)), [str(place) for place in places])
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("T, steps between letter and answer")
    axes.set_ylabel("accuracy")
    legend(axes)
    return figure


@picture("Training and validation loss by epoch: without dropout and with it.")
def overfitting(runs: Runs) -> Figure:
    figure = new_figure(FULL_WIDTH, 2.7)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (run, title) in zip(
        panels, (("large", "without dropout"), ("dropout", "dropout 0.5")), strict=True
    ):
        epochs = runs.epochs(run)
        for key, role, label in (
            ("train_loss", "series", "training"),
            ("validation_loss", "model", "validation"),
        ):
            values = [epoch[key] for epoch in epochs]
            axes.plot(range(1, len(values) + 1), values, color=light(role), label=label, lw=1.3)
        losses = [epoch["validation_loss"] for epoch in epochs]
        best = int(np.argmin(losses))
        axes.plot(best + 1, losses[best], "o", color=light("forecast"), markersize=5, label="kept")
        log_axis(axes.yaxis, np.array([0.01, 1.0]))
        axes.set_ylim(0.01, 1.0)
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.legend(loc="upper right", ncols=3)
    panels[0].set_ylabel("loss, in scaled units")
    return figure


@picture("A series that grows, and three forecasts of its last fifth.")
def scaling(runs: Runs) -> Figure:
    rows = np.array(runs.column("growth.csv", "x"))
    figure = new_figure(FULL_WIDTH, 2.9)
    axes = figure.add_subplot()
    axes.plot(rows, color=light("series"), lw=0.8, label="series")
    for end, name in ((390, "training"), (480, "validation"), (600, "test")):
        axes.axvline(end, color=light("line"), lw=1.2)
        axes.text(end - 4, 21.9, name, ha="right", color=light("muted"))
    lines = (
        ("growth", "scaled by the training part", "forecast"),
        ("peeked", "scaled by all rows", "good"),
        ("difference", "on differences", "model"),
    )
    for run, label, role in lines:
        axes.plot(np.arange(480, 600), forecasts(runs, run), color=light(role), lw=1.5, label=label)
    axes.set_xlabel("t")
    axes.set_xlim(0, 601)
    axes.set_ylim(0, 23.5)
    legend(axes)
    return figure


def forecasts(runs: Runs, run: str) -> Sequence[float]:
    """What a run forecast for the test part, in the units of growth.csv."""
    values = np.array(runs.column(f"runs/{run}/predictions.csv", "x prediction"))
    if run == "peeked":
        rows = np.array(runs.column("growth.csv", "x"))
        values = rows.min() + values * (rows.max() - rows.min())
    found: Sequence[float] = values.tolist()
    return found


FIGURES: dict[str, Callable[[Runs], str]] = {
    draw.__name__: draw for draw in (window, unrolled, reach, gates, recall, overfitting, scaling)
}
