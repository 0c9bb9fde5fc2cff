"""Axes turned, dropped, added or merged; and the steps that change nothing at inference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import Axes, Op, Option, Tensors, misfit, shown
from lstm_export.importing.raw import Array


def _same_axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    return (inputs[0],)


def _same(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    return (inputs[0],)


def order_of(step: Step, rank: int) -> tuple[int, ...]:
    """The order of axes that permute or time_major asks for; the first two swap by default."""
    default = (1, 0, *range(2, rank))
    return tuple(step.options.get("order", default))


def _permuted_axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    axes = inputs[0]
    order = order_of(step, len(axes))
    if sorted(order) != list(range(len(axes))):
        raise misfit(
            step,
            f"expected an order of the axes of {shown(axes)}, got [{', '.join(map(str, order))}]",
        )
    return (tuple(axes[i] for i in order),)


def _permuted(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    return (np.transpose(inputs[0], order_of(step, inputs[0].ndim)),)


def _squeezed_axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    axes, axis = inputs[0], step.options.get("axis", -1)
    if not -len(axes) <= axis < len(axes) or axes[axis] != 1:
        raise misfit(step, f"axis {axis} of {shown(axes)} is not known to be of size 1")
    axis %= len(axes)
    return ((*axes[:axis], *axes[axis + 1 :]),)


def _squeezed(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    return (np.squeeze(inputs[0], axis=step.options.get("axis", -1)),)


def _unbatched_axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    return ((1, *inputs[0]),)


def _unbatched(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    return (inputs[0][None],)


def _flat_axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    axes = inputs[0]
    if len(axes) < 2 or not all(isinstance(size, int) for size in axes[1:]):
        raise misfit(
            step,
            f"expected known sizes behind the batch, got {shown(axes)}: give the input a fixed "
            "number of steps, as in x:floats(steps=24)",
        )
    return ((axes[0], math.prod(int(size) for size in axes[1:])),)


def _flat(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    return (inputs[0].reshape(inputs[0].shape[0], -1),)


SHAPING = (
    Op("all", _same_axes, _same, keeps=True),
    Op("dropout", _same_axes, _same, {"p": Option(float, 0.5)}, keeps=True),
    Op("permute", _permuted_axes, _permuted, {"order": Option(tuple)}),
    Op("time_major", _permuted_axes, _permuted, keeps=True),
    Op("squeeze", _squeezed_axes, _squeezed, {"axis": Option(int, -1)}),
    # One sequence without a batch becomes a batch of one.
    Op("unbatched", _unbatched_axes, _unbatched, keeps=True),
    Op("flatten", _flat_axes, _flat),
)
