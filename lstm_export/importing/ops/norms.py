"""Normalisation at inference: of each position, of groups of features, by statistics of training.

    layer_norm  (x − mean(x)) / sqrt(var(x) + eps) · weight + bias   over the last axis
    rms_norm    x / sqrt(mean(x²) + eps) · weight                    over the same
    group_norm  as layer_norm over each group of features at every step together, which therefore
                looks ahead; weight and bias are of each feature
    batch_norm  (x − running_mean) / sqrt(running_var + eps) · weight + bias   feature by feature

as torch.nn has them under these names (LayerNorm, RMSNorm, GroupNorm, BatchNorm1d); rms_norm is of
Zhang and Sennrich (2019). Programs do not agree on eps, nor on the names of the tensors: the tables
below have both.

Where the features are of group_norm and batch_norm, the option `channels` says. last (the default)
is how recurrent layers have them, and Keras: (batch, sequence_length, features). first is how
torch's modules themselves take them, behind a permute and convolutions with channels=first:
(batch, features, sequence_length). Without an axis of steps, (batch, features) is both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import (
    Axes,
    Float,
    Op,
    Option,
    Tensors,
    maybe,
    misfit,
    of_rank,
    of_size,
)
from lstm_export.importing.ops.op import weight as tensor
from lstm_export.importing.ops.sliding import channel_axis
from lstm_export.importing.raw import Array

EPS = {"torch": 1e-5, "keras": 1e-3}
# torch's RMSNorm has the distance from 1 to the next float32, Keras's RMSNormalization a millionth.
RMS_EPS = {"torch": 2.0**-23, "keras": 1e-6}
ROLES = {
    "torch": ("weight", "bias", "running_mean", "running_var"),
    "keras": ("gamma", "beta", "moving_mean", "moving_variance"),
}
RMS_ROLES = {"torch": ("weight",), "keras": ("scale",)}


def roles(step: Step) -> tuple[str, ...]:
    """What the file calls the scale, the shift, the mean and the variance, those there may be."""
    if step.op == "rms_norm":
        return RMS_ROLES[step.layout]
    return ROLES[step.layout][: 4 if step.op == "batch_norm" else 2]


def eps(step: Step) -> float:
    """What is added to the variance, or to the mean square; raises CheckpointError below 0."""
    default = RMS_EPS if step.op == "rms_norm" else EPS
    given = float(step.options.get("eps", default[step.layout]))
    if given < 0:
        raise misfit(step, f"expected eps of at least 0, got {given}")
    return given


def size(step: Step, tensors: Tensors) -> int:
    """The number of features, by whichever tensor is there."""
    for role in roles(step):
        if role in tensors:
            return len(tensor(step, tensors, role, (None,)))
    raise misfit(step, f"expected a tensor {roles(step)[0]}; it has none")


def groups(step: Step, features: int) -> int:
    """Into how many groups the features of a group_norm fall; raises CheckpointError."""
    if "groups" not in step.options:
        raise misfit(step, "no shape says how many groups there are: give groups, as in (groups=4)")
    given = int(step.options["groups"])
    if given < 1 or features % given:
        raise misfit(step, f"expected groups of equal size of {features} features, got {given}")
    return given


def _axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    features, x = size(step, tensors), inputs[0]
    for index, role in enumerate(roles(step)):
        (tensor if index > 1 else maybe)(step, tensors, role, (features,))
    eps(step)
    if step.op == "group_norm":
        groups(step, features)
    if step.op in ("group_norm", "batch_norm"):
        of_rank(step, x, 2, 3)
    of_size(step, x, channel_axis(step, len(x)), features, "the size of its tensors")
    return (x,)


def _layer(step: Step, tensors: Tensors, x: Float) -> Float:
    centred = x - x.mean(axis=-1, keepdims=True)
    result: Float = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps(step))
    return result


def _root_mean_square(step: Step, tensors: Tensors, x: Float) -> Float:
    result: Float = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps(step))
    return result


def _group(step: Step, tensors: Tensors, x: Float) -> Float:
    batch, features = len(x), x.shape[-1]
    # (batch, sequence_length, groups, features of each)
    parts = x.reshape(batch, -1, groups(step, features), features // groups(step, features))
    centred = parts - parts.mean(axis=(1, 3), keepdims=True)
    variance = (centred**2).mean(axis=(1, 3), keepdims=True)
    result: Float = (centred / np.sqrt(variance + eps(step))).reshape(x.shape)
    return result


def _batch(step: Step, tensors: Tensors, x: Float) -> Float:
    mean, variance = (tensor(step, tensors, role, (None,)) for role in roles(step)[2:])
    result: Float = (x - mean) / np.sqrt(variance + eps(step))
    return result


def _op(name: str, normalised: Callable[[Step, Tensors, Float], Float], **options: Option) -> Op:
    """`normalised` gets values whose features stand last."""

    def oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
        x = np.asarray(inputs[0], dtype=np.float64)
        axis = channel_axis(step, x.ndim)
        y = normalised(step, tensors, np.moveaxis(x, axis, -1))
        scale, *shifts = (maybe(step, tensors, role, (None,)) for role in roles(step)[:2])
        y = y if scale is None else y * scale
        for shift in shifts:
            y = y if shift is None else y + shift
        return (np.moveaxis(y, -1, axis),)

    known = {layout: roles(Step(name, (), (), layout=layout)) for layout in EPS}
    return Op(
        name,
        _axes,
        oracle,
        {"eps": Option(float), **options},
        roles=known,
        input_size=lambda step, tensors: (
            None if step.options.get("channels") == "first" else size(step, tensors)
        ),
        keeps=True,
    )


_CHANNELS = Option(str, "last", ("last", "first"))
NORMS = (
    _op("layer_norm", _layer),
    _op("rms_norm", _root_mean_square),
    _op("group_norm", _group, groups=Option(int), channels=_CHANNELS),
    _op("batch_norm", _batch, channels=_CHANNELS),
)
