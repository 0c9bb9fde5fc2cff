"""Which steps of a sequence go on: one of them, a summary of them, or all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lstm_export.errors import InputError
from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import Axes, Float, Op, Option, Tensors, misfit, shown, taken
from lstm_export.importing.raw import Array

Lengths = npt.NDArray[np.int64]


def valid_lengths(lengths: Array, batch: int, time: int) -> Lengths:
    """`lengths` (batch,) as they must be, from 1 to `time`; raises InputError."""
    if lengths.shape != (batch,) or lengths.dtype.kind not in "iu":
        raise InputError(f"lengths: expected {batch} integers, got {lengths.dtype} {lengths.shape}")
    if int(lengths.min()) < 1 or int(lengths.max()) > time:
        raise InputError(f"lengths: expected 1 to {time}, got {lengths.tolist()}")
    return lengths.astype(np.int64)


def _axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    axes, time = inputs[0], _time(step)
    if len(axes) < 2:
        raise misfit(step, f"expected a sequence, got {shown(axes)}: it has no axis of steps")
    for name, given in taken(step, inputs).items():
        if len(given) != 1:
            raise misfit(step, f"{name}: expected (batch,), got {shown(given)}")
    return ((*axes[:time], *axes[time + 1 :]),)


def _time(step: Step) -> int:
    return 1 if step.options.get("batch_first", True) else 0


def _op(name: str, function: Callable[[Float, Lengths], Float], *, needs_lengths: bool) -> Op:
    """`function` gets (batch, sequence_length, …) and lengths, which are full where not given."""

    def oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
        values = np.asarray(inputs[0], dtype=np.float64)
        if _time(step) == 0:
            values = values.swapaxes(0, 1)
        batch, time = values.shape[:2]
        lengths = taken(step, inputs).get("lengths")
        full = np.full(batch, time)
        return (function(values, full if lengths is None else valid_lengths(lengths, batch, time)),)

    return Op(
        name,
        _axes,
        oracle,
        {"batch_first": Option(bool, True)},
        takes=("lengths",) if name not in ("first", "last") else (),
        optional=frozenset() if needs_lengths else frozenset({"lengths"}),
        keeps=True,
    )


def _valid(values: Float, lengths: Lengths) -> Array:
    within = np.arange(values.shape[1])[None, :] < lengths[:, None]
    return np.expand_dims(within, tuple(range(2, values.ndim)))


def _mean(values: Float, lengths: Lengths) -> Float:
    total = np.where(_valid(values, lengths), values, 0.0).sum(axis=1)
    result: Float = total / lengths.reshape(-1, *(1,) * (total.ndim - 1))
    return result


def _max(values: Float, lengths: Lengths) -> Float:
    result: Float = np.where(_valid(values, lengths), values, -np.inf).max(axis=1)
    return result


def _pick_axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    axes, axis, index = inputs[0], step.options.get("axis", 0), step.options.get("index", -1)
    if not -len(axes) <= axis < len(axes):
        raise misfit(step, f"the input {shown(axes)} has no axis {axis}")
    size = axes[axis]
    if isinstance(size, int) and not -size <= index < size:
        raise misfit(step, f"index {index} is outside the {size} of axis {axis} of {shown(axes)}")
    return (tuple(np.delete(np.array(axes, dtype=object), axis).tolist()),)


def _pick(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    picked = np.take(inputs[0], step.options.get("index", -1), axis=step.options.get("axis", 0))
    return (np.asarray(picked),)


STEPS = (
    _op("last", lambda values, lengths: values[:, -1], needs_lengths=False),
    _op(
        "last_valid",
        lambda values, lengths: values[np.arange(len(values)), lengths - 1],
        needs_lengths=True,
    ),
    _op("first", lambda values, lengths: values[:, 0], needs_lengths=False),
    _op("mean", _mean, needs_lengths=False),
    _op("max", _max, needs_lengths=False),
    # One layer of a final state, say: states are (layers * directions, batch, size).
    Op("pick", _pick_axes, _pick, {"index": Option(int, -1), "axis": Option(int, 0)}),
)
