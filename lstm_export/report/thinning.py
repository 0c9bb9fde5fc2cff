"""Fewer points for drawing: what the eye would see of a long series, and no more."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

LIMIT = 1600
"""Points of one line in a plot: about two per pixel column of a wide page."""


def thin(values: npt.NDArray[np.float64], limit: int = LIMIT) -> npt.NDArray[np.intp]:
    """Positions of at most `limit` of `values` (rows,), increasing, that draw the same picture.

    The series is cut into equal runs and each gives the positions of its smallest and its largest
    value, so peaks survive; the first and the last row are always there. Time and memory are
    linear in the rows.
    """
    rows = len(values)
    if rows <= limit:
        return np.arange(rows)
    runs = (limit - 2) // 2
    edges = np.linspace(0, rows, runs + 1).astype(np.intp)
    low, high = (
        np.where(np.isnan(values), np.inf, values),
        np.where(np.isnan(values), -np.inf, values),
    )
    chosen = {0, rows - 1}
    for start, stop in pairwise(edges):
        chosen.add(int(start + np.argmin(low[start:stop])))
        chosen.add(int(start + np.argmax(high[start:stop])))
    return np.array(sorted(chosen), dtype=np.intp)
