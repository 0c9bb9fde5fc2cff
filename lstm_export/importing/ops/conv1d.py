"""A convolution over time.

torch's weight is (output_size, input_size / groups, kernel_size), Keras's kernel (kernel_size,
input_size / groups, output_size). Both slide the kernel without turning it round::

    y[t] = bias + Σ_k W[k] x[stride · t + dilation · k − padding]

Values are (batch, sequence_length, features), or with channels=first (batch, features,
sequence_length) as torch.nn.Conv1d has them. padding is a number of steps on both sides, `valid`
(none), `same`, or `causal` (all of it in front).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_export.errors import InputError
from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import (
    Axes,
    Op,
    Option,
    Tensors,
    maybe,
    misfit,
    of_rank,
    of_size,
    weight,
)
from lstm_export.importing.ops.sliding import channel_axis, number, steps_left
from lstm_export.importing.raw import Array

MATRIX = {"torch": "weight", "keras": "kernel"}


def sizes(step: Step, tensors: Tensors) -> tuple[int, int, int]:
    """input_size, output_size and kernel_size; raises CheckpointError if options misfit them."""
    shape = weight(step, tensors, MATRIX[step.layout], (None, None, None)).shape
    kernel, columns, rows = shape if step.layout == "keras" else shape[::-1]
    maybe(step, tensors, "bias", (rows,))
    groups = number(step, "groups")
    if rows % groups:
        raise misfit(step, f"{rows} features out are no multiple of groups={groups}")
    return columns * groups, rows, kernel


def padding(step: Step, kernel: int) -> tuple[int, int]:
    """Zeros before the first step and after the last."""
    given, span = step.options.get("padding", 0), number(step, "dilation") * (kernel - 1)
    if isinstance(given, str):
        if given != "valid" and number(step, "stride") != 1:
            raise misfit(step, f"padding={given} is known for a stride of 1 alone")
        # An odd one goes behind, in torch as in Keras.
        return {"valid": (0, 0), "causal": (span, 0), "same": (span // 2, span - span // 2)}[given]
    if given < 0:
        raise misfit(step, f"expected a padding of at least 0, got {given}")
    return given, given


def _axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    axes, channels = list(of_rank(step, inputs[0], 3)), channel_axis(step)
    input_size, output_size, kernel = sizes(step, tensors)
    matrix = MATRIX[step.layout]
    why = f"{step.tensors.get(matrix, matrix)} is {tensors[matrix].shape}"
    of_size(step, inputs[0], channels, input_size, why)
    axes[channels] = output_size
    lost = number(step, "dilation") * (kernel - 1) - sum(padding(step, kernel))
    axes[3 - channels] = steps_left(step, axes[3 - channels], lost, number(step, "stride"))
    return (tuple(axes),)


def _oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    x = np.asarray(inputs[0], dtype=np.float64)
    x = x if channel_axis(step) == 2 else x.swapaxes(1, 2)
    input_size, output_size, kernel = sizes(step, tensors)
    matrix = weight(step, tensors, MATRIX[step.layout], (None, None, None))
    before, after = padding(step, kernel)
    x = np.pad(x, ((0, 0), (before, after), (0, 0)))
    stride, dilation, groups = (number(step, name) for name in ("stride", "dilation", "groups"))
    count = (x.shape[1] - dilation * (kernel - 1) - 1) // stride + 1
    if count < 1:
        raise InputError(f"{step.name or step.op}: {x.shape[1]} steps are too few for its kernel")
    y = np.zeros((x.shape[0], count, output_size))
    per_in, per_out = input_size // groups, output_size // groups
    for k in range(kernel):
        seen = x[:, dilation * k :: stride][:, :count]
        # (input_size / groups, output_size)
        taps = matrix[k] if step.layout == "keras" else matrix[:, :, k].T
        for g in range(groups):
            to = slice(g * per_out, (g + 1) * per_out)
            y[:, :, to] += seen[:, :, g * per_in : (g + 1) * per_in] @ taps[:, to]
    bias = maybe(step, tensors, "bias", (output_size,))
    y = y if bias is None else y + bias
    return (y if channel_axis(step) == 2 else y.swapaxes(1, 2),)


CONV1D = Op(
    "conv1d",
    _axes,
    _oracle,
    {
        "stride": Option(int, 1),
        "padding": Option(int, 0, ("valid", "same", "causal")),
        "dilation": Option(int, 1),
        "groups": Option(int, 1),
        "channels": Option(str, "last", ("last", "first")),
    },
    roles={layout: (role, "bias") for layout, role in MATRIX.items()},
    input_size=lambda step, tensors: None if channel_axis(step) == 1 else sizes(step, tensors)[0],
)
