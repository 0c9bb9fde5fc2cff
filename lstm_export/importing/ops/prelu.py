"""PReLU: a where it is positive, and a times a learnt slope where it is not; He et al. (2015).

torch.nn.PReLU's weight is (1,), or a slope for each feature (features,); Keras's alpha is without
the batch and has 1 for the steps that share it: (features,) or (1, features). Features stand in
the last axis, or with channels=first in the second, as torch has them of (batch, features,
sequence_length).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import Axes, Float, Op, Option, Tensors, misfit, of_size, weight
from lstm_export.importing.ops.sliding import channel_axis
from lstm_export.importing.raw import Array

SLOPES = {"torch": "weight", "keras": "alpha"}


def slopes(step: Step, tensors: Tensors) -> Float:
    """One slope or as many as there are features, (size,); raises CheckpointError."""
    role = SLOPES[step.layout]
    if step.layout == "torch" or (role in tensors and tensors[role].ndim == 1):
        return weight(step, tensors, role, (None,))
    found = weight(step, tensors, role, (None, None))
    if len(found) != 1:
        name = step.tensors.get(role, role)
        raise misfit(
            step, f"expected {name} of shape (1, features), shared by all steps, got {found.shape}"
        )
    return found.reshape(-1)


def _axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    size, rank = len(slopes(step, tensors)), len(inputs[0])
    if size > 1:
        of_size(step, inputs[0], channel_axis(step, rank), size, "the slopes that it has")
    return (inputs[0],)


def _oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    x, found = np.asarray(inputs[0], dtype=np.float64), slopes(step, tensors)
    if len(found) > 1:
        behind = x.ndim - 1 - channel_axis(step, x.ndim)
        found = found.reshape(-1, *(1,) * behind)
    return (np.where(x >= 0, x, found * x),)


def _input_size(step: Step, tensors: Tensors) -> int | None:
    size = len(slopes(step, tensors))
    return size if size > 1 and step.options.get("channels", "last") == "last" else None


PRELU = Op(
    "prelu",
    _axes,
    _oracle,
    {"channels": Option(str, "last", ("last", "first"))},
    roles={layout: (role,) for layout, role in SLOPES.items()},
    input_size=_input_size,
    keeps=True,
)
