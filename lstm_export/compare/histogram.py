"""How errors are spread: counts by power of ten."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LOG10_EDGES = tuple(range(-12, 4))
"""Bin 0 holds errors below 1e-12, zero among them; bin i those from 10**LOG10_EDGES[i−1] up to the
next edge; the last bin everything from 1e3, infinite errors among them."""

_EDGES = np.array([10.0**edge for edge in LOG10_EDGES])


def histogram(errors: npt.NDArray[np.float64]) -> tuple[int, ...]:
    """Counts per bin, len(LOG10_EDGES) + 1 of them; every error, NaN too, is counted once."""
    certain = np.where(np.isnan(errors), np.inf, errors)
    bins = np.searchsorted(_EDGES, certain.ravel(), side="right")
    return tuple(int(n) for n in np.bincount(bins, minlength=len(_EDGES) + 1))
