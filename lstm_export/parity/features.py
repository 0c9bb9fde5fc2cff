"""What a trial puts to the test: the rows of the matrix of runtimes."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from lstm_export.contract import BATCH, SEQUENCE_LENGTH, GraphSpec, TensorSpec
from lstm_export.parity.runtimes.registry import Tensors

Feature = Literal[
    "batch and length",
    "ragged lengths",
    "states",
    "chunked",
    "integer inputs",
    "extreme scales",
]
FEATURES: tuple[Feature, ...] = get_args(Feature)
SMALL, LARGE = 1e-2, 1e2
"""Inputs that stay below the one or go beyond the other are of an extreme scale."""


def features(inputs: Tensors, spec: GraphSpec, *, chunked: bool = False) -> tuple[Feature, ...]:
    """What a graph of `spec` shows when it runs on `inputs`, or on these in chunks."""
    if chunked:
        return ("chunked",)
    found: set[Feature] = {"batch and length"}
    for tensor in spec.inputs:
        value = inputs.get(tensor.name)
        if value is None or not value.size:
            continue
        if _is_lengths(tensor) and len(np.unique(value)) > 1:
            found.add("ragged lengths")
        elif _is_state(tensor) and value.any():
            found.add("states")
        elif tensor.dtype.startswith(("int", "uint")) and SEQUENCE_LENGTH in _words(tensor):
            found.add("integer inputs")
        elif value.dtype.kind == "f" and SEQUENCE_LENGTH in _words(tensor):
            largest = float(np.abs(value).max())
            if not SMALL <= largest <= LARGE:
                found.add("extreme scales")
    return tuple(feature for feature in FEATURES if feature in found)


def _words(tensor: TensorSpec) -> set[str]:
    """The axes by name; `sequence_length_1` counts as one of time too."""
    return {SEQUENCE_LENGTH if str(a).startswith(SEQUENCE_LENGTH) else str(a) for a in tensor.axes}


def _is_lengths(tensor: TensorSpec) -> bool:
    return tensor.axes == (BATCH,) and tensor.dtype.startswith("int")


def _is_state(tensor: TensorSpec) -> bool:
    """Floats of layers and a batch, (layers, batch, size), or what is called a state."""
    named = {axis for axis in tensor.axes if isinstance(axis, str)}
    layered = len(tensor.axes) == 3 and isinstance(tensor.axes[0], int)
    is_float = tensor.dtype.startswith("float") and named == {BATCH}
    return is_float and (layered or tensor.name.startswith("initial_"))
