"""Which labels are taken for which: a heat map of truth against answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstm_export.report.axes import FULL_WIDTH, HALF_WIDTH, new_figure
from lstm_export.report.text import short
from lstm_export.report.theme import light

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lstm_export.data.metrics import Confusion

LARGEST = 30
"""Classes whose names can be read beside a heat map."""
NARROW = 10
"""Classes that fit into half the width of a page."""
_NUMBERED = 20
"""Up to so many classes the counts stand in their cells."""
_DARK = 0.55
"""From this share on a count is written in the colour of the paper."""


def confusion_figure(labels: Sequence[str], matrix: Confusion) -> Figure:
    """`matrix` (labels, labels), the truth in the rows: a cell is the deeper the larger its share
    of its row; what is right is blue, what is wrong is orange."""
    from matplotlib.patches import Rectangle

    count = len(labels)
    names = [short(label, 18) for label in labels]
    longest = 0.075 * max(map(len, names))  # inches
    width = HALF_WIDTH if count <= NARROW else FULL_WIDTH
    side = min(width - longest - 0.55, 0.8 * count, 7.5)
    slanted = longest > side / count
    figure = new_figure(width, side + (0.7 * longest if slanted else 0.15) + 0.45)
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    for row, column in np.argwhere(matrix > 0).tolist():
        share = float(shares[row, column])
        role = "model" if row == column else "forecast"
        axes.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5),
                *(1, 1),
                facecolor=light(role),
                alpha=0.12 + 0.88 * share,
                linewidth=0,
            )
        )
        if count <= _NUMBERED:
            axes.text(
                column,
                row,
                f"{matrix[row, column]:,}",
                ha="center",
                va="center",
                color=light("card" if share > _DARK else "ink"),
                size=8.5 if count <= NARROW else 7,
            )
    places = np.arange(count)
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
    turned: dict[str, Any] = (
        {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    )
    axes.set_xticks(places, names, **turned)
    axes.set_yticks(places, names)
    axes.tick_params(length=0)
    axes.set_xlabel("answer")
    axes.set_ylabel("truth")
    axes.grid(visible=False)
    for edge in np.arange(count + 1) - 0.5:
        axes.axhline(edge, color=light("line"), linewidth=0.6, zorder=0.5)
        axes.axvline(edge, color=light("line"), linewidth=0.6, zorder=0.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def most_confused(matrix: npt.NDArray[np.int64], most: int) -> list[tuple[int, int, int]]:
    """Truth, answer and how often, of the pairs that are confused most often."""
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    rows, columns = np.unravel_index(order, matrix.shape)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column, int(wrong[row, column])) for row, column in pairs if wrong[row, column]]
