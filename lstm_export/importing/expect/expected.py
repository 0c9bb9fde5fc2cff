"""Inputs and outputs of the original program, as a user saved them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
Float = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file of inputs and outputs holds, all of it finite numbers.

    `inputs` are as the description declares them; `given` are the same arrays in the file's own
    shapes, and what other layers would take of them is found anew. `outputs` keep the file's
    shapes. `rounding` is what their printing or dtype can hide, place by place, in those shapes.
    `extra` are arrays that the layers do not take. `notes` say what was reshaped, counted or
    matched by position.
    """

    source: str
    inputs: Mapping[str, Values]
    given: Mapping[str, Values]
    outputs: Mapping[str, Float]
    rounding: Mapping[str, Float]
    extra: Mapping[str, Values] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
