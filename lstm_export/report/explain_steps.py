"""The axis of time under an explanation's panels: steps of the chosen series, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_export.report.text import short
from lstm_export.report.times import time_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lstm_export.explain.explanation import Explanation
    from lstm_export.report.axes import Values


class StepAxis:
    """Step i of the series is drawn from i to i + 1."""

    def __init__(self, found: Explanation, ticks: int = 7) -> None:
        from matplotlib.ticker import MaxNLocator

        self._steps = found.steps
        # What is forecast from the last row is drawn in the place of the next.
        self._end = found.steps + (found.task == "forecast")
        rows = np.unique(np.linspace(0, found.steps - 1, 2000).astype(int))
        times = [found.times[row] for row in rows.tolist()]
        if time_scale(times, found.time_format).kind == "number":
            numbers = np.array([float(time) for time in times])
            locator = MaxNLocator(ticks + 2, integer=True)
            wanted = np.asarray(locator.tick_values(numbers[0], numbers[-1]))
            inside = wanted[(wanted >= numbers[0]) & (wanted <= numbers[-1])]
            self._ticks: Values = np.interp(inside, numbers, rows)
            self._labels = [f"{value:.0f}" for value in inside.tolist()]
        else:
            locator = MaxNLocator(ticks - 1, integer=True)
            wanted = np.asarray(locator.tick_values(0, max(1, found.steps - 1)))
            inside = wanted[(wanted >= 0) & (wanted < found.steps)]
            self._ticks = inside
            self._labels = [short(found.times[int(i)], 19) for i in inside.tolist()]

    def span(self, steps: int) -> tuple[float, float]:
        """Where a layer's `steps` stand: of a few that are missing, the first ones are; of many,
        each stands for several of the series."""
        return (self._steps - steps if 2 * steps > self._steps else 0.0), float(self._steps)

    def apply(self, axes: Axes, *, named: bool) -> None:
        """Limits and ticks; their names under the lowest panel alone."""
        axes.set_xlim(0, self._end)
        axes.set_xticks(self._ticks + 0.5, self._labels if named else [""] * len(self._labels))
        axes.tick_params(axis="x", length=0 if not named else 2)
