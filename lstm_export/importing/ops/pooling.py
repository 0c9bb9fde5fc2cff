"""The largest or the mean of every window over the steps, feature by feature.

Windows of `kernel` steps begin `stride` apart (left out: kernel), `padding` steps before the first
one; what is outside the sequence is never the largest, and counts as 0 in a mean, or with
count_include_pad=false not at all. torch.nn.MaxPool1d and AvgPool1d document them. Values are
(batch, sequence_length, features), or with channels=first (batch, features, sequence_length).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_export.errors import InputError
from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import Axes, Op, Option, Tensors, label, misfit, of_rank
from lstm_export.importing.ops.sliding import channel_axis, number, steps_left
from lstm_export.importing.raw import Array


def window(step: Step) -> tuple[int, int, int]:
    """kernel, stride and padding; raises CheckpointError for what torch has not either."""
    if "kernel" not in step.options:
        raise misfit(step, f"expected its kernel, as in {step.op}(kernel=2)")
    kernel, padding = number(step, "kernel"), int(step.options.get("padding", 0))
    if not 0 <= padding <= kernel // 2:
        raise misfit(step, f"expected a padding of 0 to half the kernel {kernel}, got {padding}")
    return kernel, number(step, "stride", kernel), padding


def _axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    axes, time = list(of_rank(step, inputs[0], 3)), 3 - channel_axis(step)
    kernel, stride, padding = window(step)
    axes[time] = steps_left(step, axes[time], kernel - 1 - 2 * padding, stride)
    return (tuple(axes),)


def _oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    # (sequence_length, batch, features), whichever way round it came.
    x = np.moveaxis(np.asarray(inputs[0], dtype=np.float64), 3 - channel_axis(step), 0)
    (kernel, stride, padding), size = window(step), len(x)
    if size + 2 * padding < kernel:
        raise InputError(f"{label(step)}: {size} steps are too few for a kernel of {kernel}")
    found = []
    for start in range(-padding, size + padding - kernel + 1, stride):
        seen = x[max(start, 0) : start + kernel]
        if step.op == "max_pool1d":
            found.append(seen.max(axis=0))
        else:
            counted = kernel if step.options.get("count_include_pad", True) else len(seen)
            found.append(seen.sum(axis=0) / counted)
    return (np.moveaxis(np.stack(found), 0, 3 - channel_axis(step)),)


_OPTIONS = {
    "kernel": Option(int),
    "stride": Option(int),
    "padding": Option(int, 0),
    "channels": Option(str, "last", ("last", "first")),
}
POOLING = (
    Op("max_pool1d", _axes, _oracle, _OPTIONS, keeps=True),
    Op(
        "avg_pool1d",
        _axes,
        _oracle,
        {**_OPTIONS, "count_include_pad": Option(bool, True)},
        keeps=True,
    ),
)
