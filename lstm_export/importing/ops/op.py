"""What an op is to those who read a layer string, check shapes and compute: plain functions.

Values are (batch, sequence_length, features) unless a step turned them; axes are written as in
`description.Input`, a number where the size is known and a name where it is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.errors import CheckpointError
from lstm_export.importing.description import Step
from lstm_export.importing.raw import Array

Axes = tuple[str | int, ...]
Float = npt.NDArray[np.float64]
Tensors = Mapping[str, Array]
"""The raw tensors of one step by role, in the layout of the step."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of an op: its type (bool, int, float, str or tuple), its default, its words.

    `check`, where there is one, gives what is expected instead of a value, or None where it fits.
    """

    type: type
    default: Any = None
    choices: tuple[str, ...] = ()
    check: Callable[[Any], str | None] | None = None

    def problem(self, value: Any) -> str | None:
        """What is expected instead of `value`, or None where it fits."""
        if self.check is not None:
            return self.check(value)
        if self.choices and (isinstance(value, str) or self.type is str):
            return None if value in self.choices else "one of " + ", ".join(self.choices)
        if self.type is float:
            # Not what no file format and no text can hold: NaN and infinity.
            fits = type(value) in (int, float) and abs(value) <= sys.float_info.max
        elif self.type is int:
            fits = isinstance(value, int) and not isinstance(value, bool)
        elif self.type is tuple:
            fits = isinstance(value, tuple) and all(type(part) is int for part in value)
        else:
            fits = isinstance(value, self.type)
        return None if fits else _EXPECTED[self.type]


_EXPECTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a word",
    tuple: "whole numbers in brackets, [0, 2, 1]",
}


@dataclass(frozen=True, slots=True)
class Op:
    """One kind of step.

    `roles` gives, for each layout, patterns (regular expressions) of the tensors that it knows by
    role. `takes` names inputs after the first that may be given, in order; a step says which of
    them it has in the option `takes`. `joins` is true where the inputs are any number of equals.
    `outputs` is the most values that it gives.
    """

    name: str
    axes: Callable[[Step, Tensors, Sequence[Axes]], tuple[Axes, ...]]
    """Axes of the outputs for axes of the inputs; raises CheckpointError if anything misfits."""
    oracle: Callable[[Step, Tensors, Sequence[Array]], tuple[Array, ...]]
    """Outputs in float64, by the equations, from the tensors as the file arranges them."""
    options: Mapping[str, Option] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    takes: tuple[str, ...] = ()
    joins: bool = False
    outputs: int = 1
    input_size: Callable[[Step, Tensors], int | None] = lambda step, tensors: None
    """How many features the first input must have, as far as the tensors say."""
    optional: frozenset[str] = frozenset()
    """Members of `takes` that may be left out."""
    keeps: bool = False
    """Whether the features, the last axis, go through one by one: their number stays."""

    def option(self, step: Step, name: str) -> Any:
        """The option as given, else its default."""
        return step.options.get(name, self.options[name].default)


def label(step: Step) -> str:
    """The step as people know it: its name, else its kind."""
    return step.name or step.op


def misfit(step: Step, message: str) -> CheckpointError:
    """The error about `step`."""
    return CheckpointError(f"{label(step)} ({step.op}): {message}")


def taken(step: Step, inputs: Sequence[Any]) -> dict[str, Any]:
    """The inputs after the first, by what they are to the op."""
    return dict(zip(step.options.get("takes", ()), inputs[1:], strict=True))


def weight(step: Step, tensors: Tensors, role: str, shape: Sequence[int | None]) -> Float:
    """The tensor of `role` in float64, of `shape` (None: any size).

    Raises CheckpointError if it is missing, holds no numbers, or has another shape.
    """
    if role not in tensors:
        known = ", ".join(step.tensors.values()) or "none"
        raise misfit(step, f"expected a tensor {role}; it has {known}")
    array, name = tensors[role], step.tensors.get(role, role)
    if array.dtype.kind not in "fiu":
        raise misfit(step, f"expected numbers in {name}, got {array.dtype}")
    if len(shape) != array.ndim or any(
        want is not None and want != got for want, got in zip(shape, array.shape, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise misfit(step, f"expected {name} of shape ({wanted}), got {array.shape}")
    if 0 in array.shape:
        raise misfit(step, f"{name} is empty: its shape is {array.shape}")
    return np.asarray(array, dtype=np.float64)


def maybe(step: Step, tensors: Tensors, role: str, shape: Sequence[int | None]) -> Float | None:
    """`weight`, or None where there is no such tensor."""
    return weight(step, tensors, role, shape) if role in tensors else None


def of_rank(step: Step, axes: Axes, *ranks: int) -> Axes:
    """`axes` of an input, which must have one of `ranks`; raises CheckpointError."""
    if len(axes) not in ranks:
        wanted = " or ".join(map(str, ranks))
        raise misfit(step, f"expected an input with {wanted} axes, got {shown(axes)}")
    return axes


def of_size(step: Step, axes: Axes, axis: int, size: int, why: str) -> None:
    """Raises CheckpointError unless `axes[axis]` is `size`, which `why` names the reason for."""
    if not -len(axes) <= axis < len(axes):
        raise misfit(step, f"expected an input with an axis {axis}, got {shown(axes)}")
    if axes[axis] != size:
        raise misfit(
            step, f"expected {size} features ({why}), got {axes[axis]} in an input {shown(axes)}"
        )


def shown(axes: Axes) -> str:
    """Axes as a shape: (batch, sequence_length, 3)."""
    return f"({', '.join(map(str, axes))}{',' * (len(axes) == 1)})"
