"""The one definition of "the same numbers".

Per output tensor::

    error ≤ max(4 × torch float32's own error, 2e-6 × max|reference|)

The reference is computed in float64. float32 cannot come closer to it than rounding allows, and
torch shows how close that is for this very model and input; the second term is some 17 float32
roundings of the largest value, for tensors on which torch happens to be exact.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.errors import OptionError

TORCH_FACTOR = 4.0
RELATIVE_FLOOR = 2e-6

Array = npt.NDArray[np.float64]


def bound(
    reference: npt.NDArray[Any],
    torch_output: npt.NDArray[Any] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
) -> Array:
    """The error allowed at each place of `reference`, an array of its shape.

    By the rule it is the same everywhere. With `atol` or `rtol` it is atol + rtol × |reference|
    instead, place by place, the absent one being 0. Non-finite places count for nothing. Raises
    OptionError for a tolerance that is negative or not finite, ValueError if the shapes differ.
    """
    values = np.asarray(reference, dtype=np.float64)
    finite = np.isfinite(values)
    size = np.abs(np.where(finite, values, 0.0))
    if atol is not None or rtol is not None:
        return _tolerance("atol", atol) + _tolerance("rtol", rtol) * size
    largest = RELATIVE_FLOOR * float(size.max(initial=0.0))
    if torch_output is not None:
        largest = max(largest, TORCH_FACTOR * own_error(torch_output, values))
    return np.full(values.shape, largest)


def own_error(torch_output: npt.NDArray[Any], reference: npt.NDArray[Any]) -> float:
    """The largest distance of torch's output from the reference where both are finite."""
    if torch_output.shape != reference.shape:
        raise ValueError(f"torch gave {torch_output.shape}, the reference {reference.shape}")
    theirs = np.asarray(torch_output, dtype=np.float64)
    values = np.asarray(reference, dtype=np.float64)
    both = np.isfinite(theirs) & np.isfinite(values)
    return float(np.abs(theirs[both] - values[both]).max(initial=0.0))


def describe(atol: float | None = None, rtol: float | None = None) -> str:
    """The rule in force, in words."""
    if atol is None and rtol is None:
        return (
            f"error ≤ max({TORCH_FACTOR:g} × torch float32's own error, "
            f"{RELATIVE_FLOOR:g} × max|reference|)"
        )
    return f"error ≤ {_tolerance('atol', atol):g} + {_tolerance('rtol', rtol):g} × |reference|"


def _tolerance(name: str, value: float | None) -> float:
    if value is None:
        return 0.0
    if not (math.isfinite(value) and value >= 0):
        raise OptionError(f"{name}: expected a finite number ≥ 0, got {value!r}")
    return float(value)
