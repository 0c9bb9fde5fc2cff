"""What every plot shares: sizes, an empty figure, legends and log scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstm_export.report.theme import light

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = npt.NDArray[np.float64]

FULL_WIDTH, HALF_WIDTH = 9.6, 4.7
"""Inches; a page shows the two kinds at the same scale, so their text has one size."""
MARKED = 80
"""Up to so many points are drawn as points too."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches; its panels share the room without overlapping."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def legend(axes: Axes) -> None:
    """The legend in one line above the panel, at the right."""
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, borderaxespad=0.2, columnspacing=1.4
    )


def band(axes: Axes, x: Values, lower: Values, upper: Values, role: str) -> None:
    """The room between two bounds, (points,) each, in the colour of `role`."""
    axes.fill_between(x, lower, upper, color=light(role), alpha=0.18, linewidth=0, label="interval")


def log_axis(axis: Any, values: Values, names: Mapping[float, str] | None = None) -> None:
    """A log scale for `values`, labelled in plain numbers, or by `names` where there is one.

    The scale stays linear where a value is not positive, or where all are within a factor of 3.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() <= 0 or finite.max() <= 3 * finite.min():
        return
    (axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale)("log")
    decades = np.log10(finite.max() / finite.min())
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)))

    def label(value: float, _: object) -> str:
        for place, name in (names or {}).items():
            if np.isclose(value, place):
                return name
        return f"{value:g}".replace("e-0", "e−").replace("e+0", "e").replace("-", "−")

    axis.set_major_formatter(FuncFormatter(label))
    axis.set_minor_formatter(NullFormatter())
