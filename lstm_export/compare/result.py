"""What a comparison found, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lstm_export.compare.histogram import LOG10_EDGES


@dataclass(frozen=True, slots=True)
class TensorComparison:
    """One output tensor beside its reference.

    Numbers are None where nothing could be compared; then `reason` says why. An infinite error
    marks a place that is finite here and not there.
    """

    name: str
    passed: bool
    reason: str
    """Why it failed, in one sentence; empty if it passed."""
    shape: tuple[int, ...]
    dtype: str
    max_abs_error: float | None = None
    """The largest error anywhere."""
    worst_index: tuple[int, ...] | None = None
    """Where the error comes closest to its bound, or exceeds it most."""
    worst_error: float | None = None
    """The error there: `max_abs_error`, unless an rtol makes the bound vary from place to place."""
    bound: float | None = None
    """The error allowed there."""
    got: float | int | None = None
    """The value there, and next the reference's and torch's."""
    reference: float | int | None = None
    torch: float | int | None = None
    torch_max_abs_error: float | None = None
    """torch float32's own largest error; None without torch."""
    reference_scale: float | None = None
    """max|reference| over its finite values."""
    nan_count: int = 0
    inf_count: int = 0
    expected_nan_count: int = 0
    """torch's, or the reference's where there is no torch."""
    expected_inf_count: int = 0
    histogram: tuple[int, ...] = ()
    """Errors by power of ten; see `compare.histogram.LOG10_EDGES`."""

    @property
    def severity(self) -> float:
        """Error over bound at the worst place, for finding the worst of many; failures first."""
        if self.worst_error is None or self.bound is None:
            return math.inf
        if self.worst_error == 0:
            return 0.0 if self.passed else math.inf
        return self.worst_error / self.bound if self.bound else math.inf

    def to_dict(self) -> dict[str, Any]:
        """For JSON: non-finite numbers are written "NaN", "Infinity" and "-Infinity"."""
        return {
            "name": self.name,
            "passed": self.passed,
            "reason": self.reason,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "max_abs_error": json_number(self.max_abs_error),
            "worst_index": None if self.worst_index is None else list(self.worst_index),
            "worst_error": json_number(self.worst_error),
            "bound": json_number(self.bound),
            "got": json_number(self.got),
            "reference": json_number(self.reference),
            "torch": json_number(self.torch),
            "torch_max_abs_error": json_number(self.torch_max_abs_error),
            "reference_scale": json_number(self.reference_scale),
            "nan_count": self.nan_count,
            "inf_count": self.inf_count,
            "expected_nan_count": self.expected_nan_count,
            "expected_inf_count": self.expected_inf_count,
            "histogram": {"log10_edges": list(LOG10_EDGES), "counts": list(self.histogram)},
        }


def json_number(value: float | int | None) -> float | int | str | None:
    """`value` as strict JSON can hold it."""
    if value is None or isinstance(value, int) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
