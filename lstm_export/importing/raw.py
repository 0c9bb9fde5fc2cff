"""What a file holds, as plain data: arrays, and what is said beside them. Nothing was executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class RawLayer:
    """A layer that the file itself describes, in the words of its format.

    `tensors` maps roles (kernel, recurrent_kernel, bias, …) to names in `RawFile.tensors`;
    `layout` names how those are arranged, as the op of this kind knows it.
    """

    kind: str
    name: str
    options: Mapping[str, Any]
    tensors: Mapping[str, str]
    layout: str


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file of weights.

    `format` names it for people. `tensors` are in the file's order, float16 and bfloat16 as
    float32 without loss, everything else as stored; `stored` says what their dtypes were. Several
    state dicts in one file are told apart by the first part of a name, which `keys` lists.
    `declared` has numbers and words found beside the arrays, by dotted path; `layers` the
    architecture where the format has one.
    """

    path: str
    format: str
    tensors: Mapping[str, Array]
    stored: Mapping[str, str]
    keys: tuple[str, ...] = ()
    declared: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[RawLayer, ...] | None = None
    notes: tuple[str, ...] = ()
