"""Products of weights: in float64, and to the last bit the same on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def ordered_product(a: Array, b: Array) -> Array:
    """a (n, m) times b (m, k) or (m,), added up in one fixed order; a BLAS would choose its own.

    Rows of b that select, at most one number each, are where the concatenation of an input and a
    state comes from; then the product only moves columns of a.
    """
    if b.ndim == 1:
        return ordered_product(a, b[:, None])[:, 0]
    total = np.zeros((a.shape[0], b.shape[1]))
    if (np.count_nonzero(b, axis=1) <= 1).all():
        rows, columns = np.nonzero(b)
        if len(np.unique(columns)) == len(columns):
            total[:, columns] = a[:, rows] * b[rows, columns]
            return total
    for k in range(a.shape[1]):
        total += a[:, k, None] * b[k]
    return total
