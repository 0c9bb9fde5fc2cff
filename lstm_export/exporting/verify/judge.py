"""A reference from outside of the module: the weights as their source arranges them, in float64.

Where a module was made from somebody's weights, its own float64 cannot be the judge: weights put
in the wrong place would be wrong in both precisions alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]
Judge = Callable[[Arrays], Arrays]
"""Outputs by name, in float64, for inputs by name."""

_RELATIVE = 1e-9
_OF_TORCH = 1e-6
"""float64 rounds 2e-9 times as much as float32: what amplifies rounding does so in both."""


def misreading(name: str, exact: Arrays, wanted: Arrays, torch: Arrays) -> str | None:
    """Why the module in float64, `exact`, does not compute what the source says, `wanted`; None
    where it does.

    Both are float64, so that nothing but rounding may be between them: at most 1e-9 of the largest
    number, or 1e-6 of torch's own error in float32. `name` is the case's.
    """
    for output, reference in wanted.items():
        got = exact[output]
        where = f"{output} at {name}: the torch module, in float64,"
        if got.shape != reference.shape:
            return f"{where} gives the shape {got.shape}, the source {reference.shape}"
        finite = np.isfinite(reference)
        if not np.array_equal(finite, np.isfinite(got)):
            return f"{where} and the source have numbers that are not finite in different places"
        if not finite.any():
            continue
        error = float(np.abs(got - reference)[finite].max())
        scale = float(np.abs(reference)[finite].max())
        own = np.abs(np.asarray(torch[output], dtype=np.float64) - reference)[finite]
        bound = max(_RELATIVE * scale, _OF_TORCH * float(own.max()))
        if not error <= bound:
            return (
                f"{where} is {error:.2g} away from the source's own arrangement of the weights "
                f"(bound {bound:.2g}): weights were put in the wrong place"
            )
    return None
