"""The inputs of an example: sizes and numbers of one of the bundle's own golden cases.

A program has the first few numbers of each input, repeated to fill its shape: they fit the model
(tokens of its vocabulary, lengths that the sequences have, values in the units of the data), and
there are few enough to be replaced by one's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import BATCH, GraphSpec, Start, TensorSpec
from lstm_export.errors import BundleError

Array = npt.NDArray[Any]

_FLOATS = 9
_WHOLES = 96
"""Numbers that an input keeps: a row of tokens or of lengths means more than one of readings."""
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class ExampleInput:
    """One input: `numbers` over and over in the shape `sizes`."""

    spec: TensorSpec
    sizes: tuple[int, ...]
    numbers: Array

    @property
    def array(self) -> Array:
        """The tensor that the programs make of it."""
        return np.resize(self.numbers, self.sizes)


def example_inputs(
    graph: str, spec: GraphSpec, cases: Sequence[GoldenCase], start: Mapping[str, Start]
) -> tuple[ExampleInput, ...]:
    """The inputs of `graph`, in its order; a stream's states are those it starts from.

    `start` has the states that do not start at zero. Raises BundleError if no golden case will do.
    """
    case = _case(graph, spec, cases)
    states = states_of(graph, spec)
    found = []
    for tensor in spec.inputs:
        value = case.inputs[tensor.name]
        if tensor.name in states:
            numbers = _period(_started(tensor, value, start.get(tensor.name)))
        else:
            numbers = _period(_first(value))
        found.append(ExampleInput(tensor, value.shape, numbers))
    return tuple(found)


def states_of(graph: str, spec: GraphSpec) -> dict[str, str]:
    """Which output of a stream graph goes in again as which input: input → output."""
    if graph != LAYOUT.stream:
        return {}
    inputs = {tensor.name for tensor in spec.inputs}
    pairs = {
        f"initial_{tensor.name.removeprefix('final_')}": tensor.name
        for tensor in spec.outputs
        if tensor.name.startswith("final_")
    }
    return {name: output for name, output in pairs.items() if name in inputs}


def _case(graph: str, spec: GraphSpec, cases: Sequence[GoldenCase]) -> GoldenCase:
    """The first case in which no size is 1 by chance, else the first; all of them finite."""
    names = {tensor.name for tensor in spec.inputs}
    usable = [
        case
        for case in cases
        if case.graph == graph
        and set(case.inputs) == names
        and all(np.isfinite(value).all() and value.size for value in case.inputs.values())
    ]
    if not usable:
        raise BundleError(
            f"{LAYOUT.golden} has no case of finite inputs for {graph}, so there is nothing to "
            "make an example of: export the bundle again"
        )
    for case in usable:
        sizes = [
            size
            for tensor in spec.inputs
            for axis, size in zip(tensor.axes, case.inputs[tensor.name].shape, strict=True)
            if isinstance(axis, str)
        ]
        if 1 not in sizes:
            return case
    return usable[0]


def _first(value: Array) -> Array:
    """The first numbers, whole rows as far as they fit; floating ones with a few digits."""
    flat = value.ravel()
    if value.dtype.kind != "f":
        return flat[:_WHOLES]
    width = value.shape[-1] if value.ndim else 1
    kept = flat[: _FLOATS // width * width or _FLOATS]
    return np.array([float(f"{number:.{_DIGITS}g}") for number in kept], value.dtype)


def _started(tensor: TensorSpec, like: Array, start: Start | None) -> Array:
    if start is None:
        return np.zeros(1, like.dtype)
    alone = np.array(start, like.dtype)
    return np.broadcast_to(np.expand_dims(alone, tensor.axes.index(BATCH)), like.shape).ravel()


def _period(flat: Array) -> Array:
    """The shortest beginning that, repeated, is all of `flat`."""
    for length in range(1, flat.size):
        if np.array_equal(np.resize(flat[:length], flat.shape), flat):
            return flat[:length]
    return flat
