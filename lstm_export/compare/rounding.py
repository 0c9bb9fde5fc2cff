"""torch float32's own error, measured on more than one roll of the dice.

One float32 run is one sample of rounding. At a fixed point of a recurrent network, or where it
amplifies what it is given, that sample can be lucky: torch may be 1e−7 off while moving every
weight by one unit in the last place, which float32 cannot tell apart from the weights themselves,
moves torch's answer by 1e−6. Where torch's plain run leaves an output out of bounds, its own error
is therefore taken as the worst of several runs with weights so moved, and the report says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.compare.result import TensorComparison
from lstm_export.compare.tensors import compare

Tensors = Mapping[str, npt.NDArray[Any]]

RUNS = 16
BEYOND = 100.0
"""Errors of so many times the bound are not rounding, and are not looked into."""


def rejudged(
    results: tuple[TensorComparison, ...],
    got: Tensors,
    reference: Tensors,
    answers: Iterable[Tensors],
) -> dict[str, TensorComparison]:
    """The outputs among `results` that failed as rounding may, and pass by the measured error.

    `answers` are torch's on moved weights; no more of them are asked for than are needed.
    """
    open_ = {r.name for r in results if not r.passed and r.severity <= BEYOND}
    passed: dict[str, TensorComparison] = {}
    if any(not r.passed and r.name not in open_ for r in results):
        return passed
    for torch in answers if open_ else ():
        for name in sorted(open_ - set(passed)):
            result = compare(name, got[name], reference[name], torch[name])
            if result.passed:
                passed[name] = result
        if len(passed) == len(open_):
            break
    return passed


def moved_by_one_place(
    values: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Every value as its neighbour in float32, above or below by chance."""
    flat = np.ascontiguousarray(values, np.float32).ravel()
    drawn = np.unpackbits(np.frombuffer(rng.bytes(-(-flat.size // 8)), np.uint8), count=flat.size)
    steps = drawn.view(np.int8) * np.int8(2) - np.int8(1)
    # Neighbours are one apart as integers, too; save around zero and beyond the finite.
    moved = (flat.view(np.int32) + steps).view(np.float32)
    odd = (flat == 0) | ~np.isfinite(flat)
    moved[odd] = np.nextafter(flat[odd], steps[odd] * np.float32(np.inf))
    return moved.reshape(values.shape)
