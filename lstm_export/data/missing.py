"""What to do with rows in which a value is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lstm_export.errors import OptionError

Missing = Literal["error", "interpolate", "drop"]
POLICIES: tuple[Missing, ...] = ("error", "interpolate", "drop")

LONGEST_INTERPOLATED = 10
"""Missing values in a row that are drawn as a straight line; a longer run is left out."""

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows that remain, and where a new segment begins among them."""

    rows: npt.NDArray[np.int64]
    begins: Flags


def check_policy(missing: str) -> None:
    """Raises OptionError unless `missing` is one of POLICIES."""
    if missing not in POLICIES:
        raise OptionError(f"missing must be {' or '.join(POLICIES)}, got {missing!r}")


def interpolate(values: Values, begins: Flags) -> Values:
    """`values` (rows, columns) with NaN filled along straight lines within each segment.

    What has no value before or after it in its segment, and a run longer than
    LONGEST_INTERPOLATED, stays NaN.
    """
    filled = values.copy()
    segment = np.cumsum(begins)
    for column in filled.T:
        known = np.flatnonzero(~np.isnan(column))
        absent = np.flatnonzero(np.isnan(column))
        if not len(known) or not len(absent):
            continue
        after = np.searchsorted(known, absent)
        inside = (after > 0) & (after < len(known))
        absent, after = absent[inside], after[inside]
        left, right = known[after - 1], known[after]
        fits = (segment[left] == segment[right]) & (right - left <= LONGEST_INTERPOLATED + 1)
        absent, left, right = absent[fits], left[fits], right[fits]
        weight = (absent - left) / (right - left)
        column[absent] = column[left] * (1 - weight) + column[right] * weight
    return filled


def keep_complete(values: Values, begins: Flags) -> Kept:
    """The rows of `values` (rows, columns) without NaN; where rows are left out in between, a new
    segment begins."""
    complete = ~np.isnan(values).any(axis=1)
    rows = np.flatnonzero(complete)
    stretch = np.cumsum(begins | ~complete)[rows]
    kept = np.ones(len(rows), dtype=np.bool_)
    # A row that follows the one before it directly goes on with its segment.
    kept[1:] = stretch[1:] != stretch[:-1]
    return Kept(rows, kept)
