"""How many times as long as a base runtime others take, graph by graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstm_export.report.axes import FULL_WIDTH, new_figure
from lstm_export.report.text import duration, number, short
from lstm_export.report.theme import light

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASE = "onnxruntime"


@dataclass(frozen=True, slots=True)
class Ratios:
    """Seconds of one run of a graph by runtime, beside those of `base`."""

    graph: str
    base: str
    seconds: Mapping[str, float]

    def ratio(self, runtime: str) -> float | None:
        """How many times as long as the base; None where it gave no answer."""
        taken = self.seconds.get(runtime)
        return None if taken is None else taken / self.seconds[self.base]


def ratios(latency: Mapping[str, Mapping[str, float]]) -> list[Ratios]:
    """For each graph that was timed: beside onnxruntime, or the fastest where that has no time."""
    found = []
    for graph, seconds in latency.items():
        timed = {name: taken for name, taken in seconds.items() if taken > 0}
        if len(timed) > 1:
            base = BASE if BASE in timed else min(timed, key=lambda name: timed[name])
            found.append(Ratios(graph, base, timed))
    return found


def latency_figure(graphs: Sequence[Ratios]) -> Figure:
    """A panel for each graph, a bar for each runtime, on log scales around the base."""
    names = list(dict.fromkeys(name for graph in graphs for name in graph.seconds))
    names.sort(key=lambda name: max(graph.ratio(name) or 0.0 for graph in graphs))
    across = min(len(graphs), 2)
    down = -(-len(graphs) // across)
    figure = new_figure(FULL_WIDTH, down * (0.75 + 0.25 * len(names)))
    for place, graph in enumerate(graphs):
        axes = figure.add_subplot(down, across, place + 1)
        _draw(axes, graph, names, labelled=place % across == 0)
    return figure


def _draw(axes: Axes, graph: Ratios, names: Sequence[str], *, labelled: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    known = [ratio for name in names if (ratio := graph.ratio(name)) is not None]
    axes.set_xscale("log")
    # Room for the words at the ends of the bars, on both sides.
    axes.set_xlim(min(0.5, min(known) / 8), max(4.0, max(known) * 8))
    for row, name in enumerate(names):
        ratio = graph.ratio(name)
        if ratio is None:
            axes.text(1.05, row, "no answer", va="center", color=light("muted"), size=7.5)
            continue
        base = name == graph.base
        colour = light("baseline" if base else "model")
        axes.barh(row, ratio - 1, left=1, height=0.6, color=colour, linewidth=0)
        words = f"{number(ratio, 2)} ×, {duration(graph.seconds[name])}"
        axes.annotate(
            duration(graph.seconds[name]) if base else words,
            (ratio, row),
            (4 if ratio >= 1 else -4, 0),
            textcoords="offset points",
            ha="left" if ratio >= 1 else "right",
            va="center",
            color=light("muted"),
            size=7.5,
        )
    axes.axvline(1.0, color=light("baseline"), linewidth=1.0)
    axes.set_yticks(range(len(names)), [short(name, 24) if labelled else "" for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ×"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(short(graph.graph))
