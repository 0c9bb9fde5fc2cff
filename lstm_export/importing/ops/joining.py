"""Several values into one: beside each other, added, multiplied; and a skip over some layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import Axes, Float, Op, Option, Tensors, misfit, shown
from lstm_export.importing.raw import Array


def _concat_axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    axis, first = step.options.get("axis", -1), inputs[0]
    if not -len(first) <= axis < len(first):
        raise misfit(step, f"the input {shown(first)} has no axis {axis}")
    axis %= len(first)
    for other in inputs[1:]:
        if len(other) != len(first) or any(
            a != b for i, (a, b) in enumerate(zip(first, other, strict=True)) if i != axis
        ):
            raise misfit(
                step, f"expected inputs that differ in axis {axis} alone, got {_all(inputs)}"
            )
    sizes = [axes[axis] for axes in inputs]
    if all(isinstance(size, int) for size in sizes):
        joined: str | int = sum(size for size in sizes if isinstance(size, int))
    else:
        joined = "+".join(map(str, sizes))
    return ((*first[:axis], joined, *first[axis + 1 :]),)


def _concat(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    return (np.concatenate(inputs, axis=step.options.get("axis", -1)),)


def _equal_axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    """Broadcasting is left out on purpose: nothing that a layer string says needs it."""
    if any(axes != inputs[0] for axes in inputs[1:]):
        raise misfit(step, f"expected inputs of one shape, got {_all(inputs)}")
    return (inputs[0],)


def _add(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    total = _float(inputs[0])
    for value in inputs[1:]:
        total = total + _float(value)
    return (total,)


def _mul(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    product = _float(inputs[0])
    for value in inputs[1:]:
        product = product * _float(value)
    return (product,)


def _skip_axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    if len(inputs) != 2:
        raise misfit(step, f"expected two inputs, the value and what skips, got {len(inputs)}")
    value, over = inputs
    fits = len(value) == len(over) and value[:-1] == over[:-1]
    sizes = value[-1] if value else "", over[-1] if over else ""
    if not (fits and isinstance(sizes[0], int) and isinstance(sizes[1], int)):
        raise misfit(step, f"expected two values alike but for their features, got {_all(inputs)}")
    channels = step.options.get("channels", sizes[0])
    if channels not in (1, sizes[0]) or channels > sizes[1]:
        raise misfit(
            step, f"{channels} of {sizes[1]} features cannot be added to a value of {sizes[0]}"
        )
    return (value,)


def _skip(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    value, over = map(_float, inputs)
    return (value + over[..., : step.options.get("channels", value.shape[-1])],)


def _float(value: Array) -> Float:
    return np.asarray(value, dtype=np.float64)


def _all(inputs: Sequence[Axes]) -> str:
    return " and ".join(map(shown, inputs))


JOINING = (
    Op("concat", _concat_axes, _concat, {"axis": Option(int, -1)}, joins=True),
    Op("add", _equal_axes, _add, joins=True),
    Op("mul", _equal_axes, _mul, joins=True),
    # A residual as guitar amplifier models have it: the first `channels` features of the input are
    # added, one of them to every feature of the value.
    Op("skip", _skip_axes, _skip, {"channels": Option(int)}, joins=True),
)
