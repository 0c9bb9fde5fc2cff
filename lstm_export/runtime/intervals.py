"""Prediction intervals around a forecast: what the bundle stores, for the coverage asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_export.contract import Intervals
from lstm_export.errors import OptionError

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Float32


class ForecastInterval(NamedTuple):
    """A forecast and the bounds that the truth should lie between, all of one shape."""

    forecast: Array
    lower: Array
    upper: Array


class Band(NamedTuple):
    """The half-widths of one level: (steps, targets), in the targets' units."""

    level: float
    half_widths: Float32

    def around(self, forecast: Array) -> ForecastInterval:
        """`forecast` (..., steps, targets) with its bounds. They are not kept within the range
        that a target may have: a bound of a level that cannot be negative may be."""
        return ForecastInterval(forecast, forecast - self.half_widths, forecast + self.half_widths)


def band(intervals: Intervals | None, coverage: float, steps: int) -> Band:
    """The narrowest stored band that promises at least `coverage` for each of `steps` steps.

    Raises OptionError where there is none, saying what there is.
    """
    wanted = checked_coverage(coverage)
    if intervals is None:
        raise OptionError(
            f"coverage {wanted:g}: this model has no prediction intervals. A bundle has them where "
            "its training run had a validation part (--validation above 0); a model.onnx alone "
            "never has: load the folder of its bundle"
        )
    longest = intervals.steps(0)
    if steps > longest:
        raise OptionError(
            f"coverage {wanted:g}: intervals are known for up to {longest} steps ahead, not for "
            f"{steps}: so far the validation part was long enough. Ask for a horizon of at most "
            f"{longest}, or train with a larger --validation"
        )
    possible = [i for i in range(len(intervals.levels)) if intervals.steps(i) >= steps]
    for i in possible:
        if intervals.levels[i] >= wanted:
            stored = np.array(intervals.half_widths[i], np.float32)
            return Band(intervals.levels[i], stored[:, :steps].T)
    raise OptionError(
        f"coverage {wanted:g}: {intervals.residuals[steps - 1]} residuals of the validation part "
        f"are enough for at most {intervals.levels[possible[-1]]:g} at {steps} "
        f"step{'s' if steps > 1 else ''} ahead; ask for no more, or train with a larger "
        "--validation"
    )


def checked_coverage(coverage: object) -> float:
    """`coverage` as a float. Raises OptionError unless it lies between 0 and 1."""
    try:
        value = float(coverage)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = np.nan
    if not 0 < value < 1 or isinstance(coverage, bool | str):
        raise OptionError(f"coverage must lie between 0 and 1, such as 0.9, got {coverage!r}")
    return value
