"""Tensors against tensors: whatever is wrong becomes a failure with a reason, never an exception.

Nothing is broadcast, cast or skipped to make two tensors comparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.compare.histogram import histogram
from lstm_export.compare.result import TensorComparison
from lstm_export.compare.rule import bound, describe, own_error

Tensor = npt.NDArray[Any]


def compare(
    name: str,
    got: Tensor,
    reference: Tensor,
    torch: Tensor | None = None,
    *,
    atol: float | None = None,
    rtol: float | None = None,
) -> TensorComparison:
    """Judges `got` by the parity rule, or by fixed tolerances where one is given.

    `reference` is float64 for a floating-point output and `torch` is torch float32's output for
    the same input; the dtype that `got` must have is torch's, else float32, or the reference's own
    for integers and booleans. Those must be equal. Non-finite values must stand in the same
    places, with the same sign, as torch's, or as the reference's where there is no torch. Raises
    OptionError for a tolerance that makes no sense, and nothing else.
    """
    rule = describe(atol, rtol)
    if problem := _incomparable(got, reference, torch):
        return TensorComparison(name, False, problem, tuple(got.shape), str(got.dtype))
    expected = reference if torch is None else torch
    errors = _errors(got, reference, expected)
    exact = reference.dtype.kind != "f"
    allowed = np.zeros(got.shape) if exact else bound(reference, torch, atol, rtol)
    worst = _worst(errors, allowed)
    failing = int((errors > allowed).sum())
    reason = ""
    if failing:
        reason = (
            f"{failing} of {errors.size} values are off; worst at {list(worst)}: "
            f"got {got[worst].item()!r}, reference {reference[worst].item()!r}"
            + ("" if torch is None else f", torch {torch[worst].item()!r}")
            + f"; error {errors[worst]:.3g}, allowed {allowed[worst]:.3g}"
            + (" (integers are exact)" if exact else f" ({rule})")
        )
    finite = np.abs(reference[np.isfinite(reference)].astype(np.float64))
    return TensorComparison(
        name=name,
        passed=not failing,
        reason=reason,
        shape=tuple(got.shape),
        dtype=str(got.dtype),
        max_abs_error=float(errors.max()),
        worst_index=worst,
        worst_error=float(errors[worst]),
        bound=float(allowed[worst]),
        got=got[worst].item(),
        reference=reference[worst].item(),
        torch=None if torch is None else torch[worst].item(),
        torch_max_abs_error=None if torch is None else own_error(torch, reference),
        reference_scale=float(finite.max(initial=0.0)),
        nan_count=int(np.isnan(got).sum()),
        inf_count=int(np.isinf(got).sum()),
        expected_nan_count=int(np.isnan(expected).sum()),
        expected_inf_count=int(np.isinf(expected).sum()),
        histogram=histogram(errors),
    )


def compare_outputs(
    got: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    torch: Mapping[str, Tensor] | None = None,
    *,
    atol: float | None = None,
    rtol: float | None = None,
) -> tuple[TensorComparison, ...]:
    """Every output by name, in the reference's order; a missing or an extra one is a failure.

    Where `torch` is given it must hold every output.
    """
    results = []
    for name, expected in reference.items():
        if name not in got:
            results.append(_absent(name, "the output is missing"))
        elif torch is not None and name not in torch:
            results.append(_absent(name, "torch's output is missing: nothing to judge by"))
        else:
            theirs = None if torch is None else torch[name]
            results.append(compare(name, got[name], expected, theirs, atol=atol, rtol=rtol))
    extra = [name for name in dict.fromkeys([*got, *(torch or {})]) if name not in reference]
    unexpected = [_absent(name, "there is no reference for this output") for name in extra]
    return (*results, *unexpected)


def _absent(name: str, reason: str) -> TensorComparison:
    return TensorComparison(name, False, reason, (), "")


def _incomparable(got: Tensor, reference: Tensor, torch: Tensor | None) -> str:
    """Why the tensors cannot be compared, or an empty string."""
    if torch is not None and torch.shape != reference.shape:
        return f"torch's shape is {torch.shape}, but the reference's {reference.shape}"
    if got.shape != reference.shape:
        return f"expected shape {reference.shape}, got {got.shape}"
    if got.size == 0:
        return f"the shape is {got.shape}: an empty tensor proves nothing"
    if torch is not None:
        dtype = torch.dtype
    else:
        dtype = np.dtype(np.float32) if reference.dtype.kind == "f" else reference.dtype
    if got.dtype != dtype:
        return f"expected dtype {dtype}, got {got.dtype}"
    if got.dtype.kind not in "fiub":
        return f"dtype {got.dtype} is not a number"
    if (got.dtype.kind == "f") != (reference.dtype.kind == "f"):
        return f"the reference is {reference.dtype}, which cannot judge {got.dtype}"
    return ""


def _errors(got: Tensor, reference: Tensor, expected: Tensor) -> npt.NDArray[np.float64]:
    """|got − reference|, infinite wherever a non-finite value is not where it should be.

    `expected` says where: it is torch's output, or the reference itself.
    """
    if got.dtype.kind != "f":
        # Differences of wide integers are rounded in float64, and could become 0.
        size = np.abs(got.astype(np.float64) - reference.astype(np.float64))
        return np.where(got == reference, 0.0, np.maximum(size, 1.0))
    ours, theirs = got.astype(np.float64), expected.astype(np.float64)
    truth = reference.astype(np.float64)
    same_kind = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    both_finite = np.isfinite(ours) & np.isfinite(theirs)
    errors = np.where(same_kind, 0.0, np.inf)
    # A place that is finite here and in torch, but not in the reference, cannot be judged: inf.
    judged = both_finite & np.isfinite(truth)
    errors[both_finite] = np.inf
    errors[judged] = np.abs(ours[judged] - truth[judged])
    return errors


def _worst(errors: npt.NDArray[np.float64], allowed: Tensor) -> tuple[int, ...]:
    """The place of the largest error for its bound."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(errors > 0, errors / allowed, 0.0)
    # Many places may lie infinitely far out, where the bound is 0: then the largest error decides.
    order = np.lexsort((errors.ravel(), ratio.ravel()))
    return tuple(int(i) for i in np.unravel_index(order[-1], errors.shape))
