"""Outputs in float64 beside the user's, and the error that is allowed.

The user's numbers come from another program in float32, which may add in another order, and from
a file that may have rounded them. An error is within its bound where it is at most the largest of

    4 × torch float32's own error    2e-6 × max|reference|    1e-5 × max|expected|    the rounding

or, where the user gives one, the tolerance that stands for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_export.compare.rule import RELATIVE_FLOOR, TORCH_FACTOR
from lstm_export.importing.expect.expected import Expected, Float
from lstm_export.importing.expect.fitting import reshapes

ANOTHER_PROGRAM = 1e-5


@dataclass(frozen=True, slots=True)
class OutputAgreement:
    """One output: its largest error for its bound, at `place` of the file's array.

    `error` and `bound` are infinite and 0 where shapes differ, and `reason` says so. `rule` names
    what the bound is.
    """

    name: str
    passed: bool
    error: float
    bound: float
    rule: str
    place: tuple[int, ...] = ()
    expected: float = 0.0
    got: float = 0.0
    largest: float = 0.0
    """The largest value that the file expects."""
    reason: str = ""

    @property
    def ratio(self) -> float:
        """How many times the bound the error is: at most 1 where it is allowed."""
        return self.error / self.bound if self.bound else 0.0 if self.error == 0.0 else np.inf

    def to_dict(self) -> dict[str, Any]:
        """Plain values; an error is null where shapes differ."""
        finite = np.isfinite(self.error)
        return {
            "name": self.name,
            "passed": self.passed,
            "error": self.error if finite else None,
            "bound": self.bound,
            "rule": self.rule,
            "place": list(self.place),
            "expected": self.expected if finite else None,
            "got": self.got if finite else None,
            "reason": self.reason,
        }


def judged(
    outputs: Mapping[str, Float],
    expected: Expected,
    own_errors: Mapping[str, float] | None = None,
    atol: float | None = None,
) -> tuple[OutputAgreement, ...]:
    """Every output of the file beside `outputs`; `own_errors` are torch float32's."""
    own = own_errors or {}
    return tuple(
        _one(name, values, expected, outputs, own.get(name, 0.0), atol)
        for name, values in expected.outputs.items()
    )


def _one(
    name: str,
    values: Float,
    expected: Expected,
    outputs: Mapping[str, Float],
    own_error: float,
    atol: float | None,
) -> OutputAgreement:
    largest = float(np.abs(values).max())
    if not reshapes(outputs[name].shape, values.shape):
        reason = f"the layers give {outputs[name].shape}, the file expects {values.shape}"
        return OutputAgreement(name, False, np.inf, 0.0, "", reason=reason, largest=largest)
    got = outputs[name].reshape(values.shape)
    bounds, rule = bounds_of(got, values, expected.rounding[name], own_error, atol)
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.nan_to_num(np.abs(got - values), nan=np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(errors > 0, errors / bounds, 0.0)
    place = tuple(int(i) for i in np.unravel_index(int(np.argmax(ratios)), values.shape))
    return OutputAgreement(
        name,
        bool((errors <= bounds).all()),
        float(errors[place]),
        float(bounds[place]),
        rule,
        place,
        float(values[place]),
        float(got[place]),
        largest,
    )


def bounds_of(
    got: Float, values: Float, rounding: Float, own_error: float, atol: float | None
) -> tuple[Float, str]:
    """The error allowed at each place, and its name."""
    if atol is not None:
        return np.full(values.shape, atol), f"the tolerance {atol:g} that was given"
    rules = {
        "1e-5 × max|expected|": ANOTHER_PROGRAM * float(np.abs(values).max()),
        "2e-6 × max|reference|": RELATIVE_FLOOR * float(np.abs(got).max()),
        "4 × torch float32's own error": TORCH_FACTOR * own_error,
    }
    rule = max(rules, key=lambda name: rules[name])
    coarse = rounding > rules[rule]
    if coarse.any():
        rule = "half of the last digit that the file keeps" + (
            "" if coarse.all() else f", or {rule}"
        )
    return np.maximum(rounding, rules[max(rules, key=lambda name: rules[name])]), rule
