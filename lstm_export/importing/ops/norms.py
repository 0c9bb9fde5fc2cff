"""Normalisation at inference: over the features of a position, or by the statistics of training.

    layer_norm  (x − mean(x)) / sqrt(var(x) + eps) · weight + bias        over the last axis
    batch_norm  (x − running_mean) / sqrt(running_var + eps) · weight + bias   feature by feature

torch and Keras name the tensors differently and do not agree on eps: 1e-5 and 1e-3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import Axes, Float, Op, Option, Tensors, maybe, misfit, of_size
from lstm_export.importing.ops.op import weight as tensor
from lstm_export.importing.raw import Array

EPS = {"torch": 1e-5, "keras": 1e-3}
SCALE = {"torch": "weight", "keras": "gamma"}
SHIFT = {"torch": "bias", "keras": "beta"}
MEAN = {"torch": "running_mean", "keras": "moving_mean"}
VARIANCE = {"torch": "running_var", "keras": "moving_variance"}


def eps(step: Step) -> float:
    """What is added to the variance."""
    return float(step.options.get("eps", EPS[step.layout]))


def size(step: Step, tensors: Tensors) -> int:
    """The number of features, by whichever tensor is there."""
    for role in (SCALE, SHIFT, MEAN, VARIANCE):
        if role[step.layout] in tensors:
            return len(tensor(step, tensors, role[step.layout], (None,)))
    raise misfit(step, f"expected a tensor {SCALE[step.layout]}; it has none")


def channel_axis(step: Step, rank: int) -> int:
    """The axis of the features: the last, or with channels=first the second."""
    return 1 if step.options.get("channels", "last") == "first" and rank > 2 else rank - 1


def _layer_axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    features = size(step, tensors)
    maybe(step, tensors, SHIFT[step.layout], (features,))
    of_size(step, inputs[0], -1, features, "the size of its tensors")
    return (inputs[0],)


def _scaled(step: Step, tensors: Tensors, y: Float, shape: tuple[int, ...]) -> Float:
    scale = maybe(step, tensors, SCALE[step.layout], (None,))
    shift = maybe(step, tensors, SHIFT[step.layout], (None,))
    y = y if scale is None else y * scale.reshape(shape)
    return y if shift is None else y + shift.reshape(shape)


def _layer_oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    x = np.asarray(inputs[0], dtype=np.float64)
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return (_scaled(step, tensors, centred / np.sqrt(variance + eps(step)), (-1,)),)


def _batch_axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    features = size(step, tensors)
    for role in (SCALE, SHIFT):
        maybe(step, tensors, role[step.layout], (features,))
    for role in (MEAN, VARIANCE):
        tensor(step, tensors, role[step.layout], (features,))
    axis = channel_axis(step, len(inputs[0]))
    of_size(step, inputs[0], axis, features, "the size of its tensors")
    return (inputs[0],)


def _batch_oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    x = np.asarray(inputs[0], dtype=np.float64)
    axis = channel_axis(step, x.ndim)
    shape = tuple(-1 if i == axis else 1 for i in range(x.ndim))
    mean = tensor(step, tensors, MEAN[step.layout], (None,)).reshape(shape)
    variance = tensor(step, tensors, VARIANCE[step.layout], (None,)).reshape(shape)
    return (_scaled(step, tensors, (x - mean) / np.sqrt(variance + eps(step)), shape),)


_EPS = {"eps": Option(float)}
LAYER_NORM = Op(
    "layer_norm",
    _layer_axes,
    _layer_oracle,
    _EPS,
    roles={layout: (SCALE[layout], SHIFT[layout]) for layout in EPS},
    input_size=size,
)
BATCH_NORM = Op(
    "batch_norm",
    _batch_axes,
    _batch_oracle,
    {**_EPS, "channels": Option(str, "last", ("last", "first"))},
    roles={
        layout: (
            *(role[layout] for role in (SCALE, SHIFT, MEAN, VARIANCE)),
            # torch counts the batches of training beside them; nothing at inference reads it.
            *(("num_batches_tracked",) if layout == "torch" else ()),
        )
        for layout in EPS
    },
    input_size=lambda step, tensors: (
        None if step.options.get("channels") == "first" else size(step, tensors)
    ),
)
