"""Outputs that do not round: indices, counts and decisions, and what lies beyond float32.

An argmax of two values that are nearly equal is decided by rounding. Where torch in float32 and in
float64 decide differently, neither is wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def exact_again(got: Array, reference: Array, torch: Array) -> tuple[Array, int]:
    """The reference for an integer or boolean output, and where torch contradicts itself.

    In those places it takes whichever of torch's two answers `got` has.
    """
    if reference.shape != torch.shape or reference.dtype != torch.dtype:
        return torch, 0
    disputed = reference != torch
    if got.shape == torch.shape:
        reference = np.where(disputed & (got == torch), torch, reference)
    return reference, int(disputed.sum())


def by_torch(exact: Array, torch: Array) -> Array:
    """float64's answer as a judge of float32: without numbers that float32 does not have.

    A mask filled with the smallest number of its dtype is filled with another one in float64.
    """
    if exact.shape != torch.shape or exact.dtype.kind != "f" or torch.dtype.kind != "f":
        return exact
    exact = exact.astype(np.float64)
    limit = float(np.finfo(np.float32).max)
    beyond = np.isfinite(exact) & (np.abs(exact) > limit) & np.isfinite(torch)
    return np.where(beyond, torch.astype(np.float64), exact)
