"""Prediction intervals by split conformal prediction.

Let n residuals |truth − forecast| and that of a forecast to come be exchangeable. Then the k-th
smallest of the n covers the coming one with a probability of at least k / (n + 1), and of exactly
that where no two are equal. The half-width for coverage c is therefore the ⌈(n + 1) c⌉-th smallest
residual, and there is none where that is beyond n (Vovk, Gammerman and Shafer 2005, Algorithmic
Learning in a Random World, 4.1; Lei, G'Sell, Rinaldo, Tibshirani and Wasserman 2018,
Distribution-Free Predictive Inference for Regression, algorithm 2).

Every target and every step ahead has intervals of its own: that a whole path stays within them is
less probable than `level`. Half-widths need not grow with the step, and are not made to: of a
seasonal series a season ahead may be surer than half a one. The residuals of a series are not
quite exchangeable, and early stopping has looked at them once, so real coverage can be a little
lower; the run's metrics say what it was on the test part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Intervals

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
TESTED_LEVEL = 0.9
"""The coverage whose intervals are tried on the test part."""

Residuals = npt.NDArray[np.float64]


def rank(count: int, level: float) -> int:
    """Which of `count` residuals, from the smallest, covers with probability `level`.

    More than `count` where there are too few of them.
    """
    # Exactly: in floating point (n + 1) c may lie just above the integer that it is.
    return math.ceil((count + 1) * Fraction(str(level)))


def calibrate(residuals: Sequence[Residuals]) -> Intervals | None:
    """The intervals of residuals (windows, targets) for each step ahead, as many as it has.

    A level ends before the first step that has too few residuals for it, or where the half-width
    of some target would not be finite; None where no level has a step.
    """
    ordered = [_ordered(step) for step in residuals]
    found: dict[float, list[npt.NDArray[np.float32]]] = {}
    for level in LEVELS:
        widths = []
        for step in ordered:
            k = rank(len(step), level)
            if k > len(step) or not np.isfinite(step[k - 1]).all():
                break
            widths.append(step[k - 1])
        if not widths:
            break
        found[level] = widths
    if not found:
        return None
    longest = max(map(len, found.values()))
    return Intervals(
        tuple(found),
        tuple(len(step) for step in ordered[:longest]),
        tuple(
            tuple(tuple(map(_shortest, target)) for target in zip(*widths, strict=True))
            for widths in found.values()
        ),
    )


def coverage_on_test(
    intervals: Intervals | None, residuals: Residuals, targets: Sequence[str]
) -> dict[str, Any] | None:
    """How much of the truth TESTED_LEVEL's intervals hold one step ahead, as the metric it is.

    `residuals` (windows, targets) are those of the test part. Keys: `level`, and `one_step`, the
    share by target. None where there are no intervals of that level.
    """
    if intervals is None or TESTED_LEVEL not in intervals.levels:
        return None
    widths = [target[0] for target in intervals.half_widths[intervals.levels.index(TESTED_LEVEL)]]
    shares = np.mean(np.abs(residuals) <= np.array(widths, np.float32), axis=0).tolist()
    return {"level": TESTED_LEVEL, "one_step": dict(zip(targets, shares, strict=True))}


def _ordered(residuals: Residuals) -> npt.NDArray[np.float32]:
    """Each target's absolute residuals, ascending, in float32 and never smaller than they are.

    A forecast that is not a number misses by infinitely much.
    """
    absolute = np.abs(residuals)
    absolute[np.isnan(absolute)] = np.inf
    with np.errstate(over="ignore"):
        rounded = absolute.astype(np.float32)
        rounded = np.where(rounded < absolute, np.nextafter(rounded, np.float32(np.inf)), rounded)
    return np.sort(rounded, axis=0)


def _shortest(value: np.float32) -> float:
    """The float whose decimal form is the shortest that reads back as the same float32, which is
    how the runtime reads it."""
    return float(str(value))
