"""Three units of a layer as lines: the one that remembers longest, a middle one, the shortest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_export.explain.gates import GATES, STATE
from lstm_export.report.axes import FULL_WIDTH, legend, new_figure
from lstm_export.report.explain_heat import unit_order
from lstm_export.report.explain_steps import StepAxis
from lstm_export.report.theme import light

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lstm_export.explain.explanation import Explanation, LayerFacts

_COLOURS = {
    "forget": "model",
    "update": "model",
    "input": "good",
    "reset": "good",
    "output": "forecast",
}


def units_figure(found: Explanation, layer: LayerFacts) -> Figure:
    """A row for each unit: its gates on the left, what it remembers on the right."""
    order = unit_order(layer)
    picked = list(dict.fromkeys(int(order[i]) for i in (0, len(order) // 2, -1)))
    gates = [gate.name for gate in GATES[layer.cell] if gate.name in _COLOURS]
    figure = new_figure(FULL_WIDTH, 1.75 * len(picked))
    grid = figure.add_gridspec(len(picked), 2 if gates else 1)
    axis = StepAxis(found, ticks=4 if gates else 7)
    start, end = axis.span(int(layer.trace.edges[-1]))
    middles = (layer.trace.edges[1:] + layer.trace.edges[:-1]) / 2
    x = start + (end - start) * middles / layer.trace.edges[-1]
    state = STATE[layer.cell][0]
    for row, unit in enumerate(picked):
        if gates:
            axes = figure.add_subplot(grid[row, 0])
            for name in gates:
                values = layer.trace.values[name][:, unit]
                axes.plot(x, values, color=light(_COLOURS[name]), lw=1.3, label=name)
            axes.set_ylim(-0.03, 1.03)
            axes.set_yticks([0, 0.5, 1])
            axes.set_title(f"unit {unit}{_memory(layer, unit)}")
            if row == 0:
                legend(axes)
            axis.apply(axes, named=row == len(picked) - 1)
        axes = figure.add_subplot(grid[row, -1])
        axes.axhline(0, color=light("line"), lw=1)
        axes.plot(x, layer.trace.values["state"][:, unit], color=light("series"), lw=1.3)
        axes.set_title(f"unit {unit}: {'cell state' if state == 'cell' else 'state'}")
        axis.apply(axes, named=row == len(picked) - 1)
    return figure


def _memory(layer: LayerFacts, unit: int) -> str:
    if layer.memory is None:
        return ""
    length = float(layer.memory[unit])
    return f": memory {length:.3g} steps" if np.isfinite(length) else ": never forgets"
