"""The nodes that mark a recorded time loop in a graph.

A `lstm_export::step` node stands where each recorded step begins and one more where the last one
ends; what it yields is the number of the step. A `lstm_export::collect` node stands for what a list
with one tensor from every step became.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, library
from torch.fx.node import has_side_effect


@library.custom_op("lstm_export::step", mutates_args=())
def step(count: int, loop: int, number: int, place: str, implicit: bool) -> Tensor:
    """Marks where step `number` of a loop of `count` steps begins; yields its number.

    An `implicit` loop was recognised by what it uses (`lists`), and may turn out to be none.
    """
    return torch.tensor(number)


@step.register_fake
def _(count: int, loop: int, number: int, place: str, implicit: bool) -> Tensor:
    return torch.empty((), dtype=torch.int64)


@library.custom_op("lstm_export::collect", mutates_args=())
def collect(
    parts: Sequence[Tensor],
    count: int,
    loop: int,
    dim: int,
    stacked: bool,
    backwards: bool,
    start: Tensor | None = None,
) -> Tensor:
    """What stacking, or concatenating, one tensor from each of `count` steps along `dim` gives.

    `parts` come from the recorded steps in order of time, the result may run backwards. `start`
    stands at the end where the first step's part is.
    """
    ordered = list(reversed(parts)) if backwards else list(parts)
    if start is not None:
        ordered.insert(len(ordered) if backwards else 0, start)
    return torch.stack(ordered, dim) if stacked else torch.cat(ordered, dim)


@collect.register_fake
def _(
    parts: Sequence[Tensor],
    count: int,
    loop: int,
    dim: int,
    stacked: bool,
    backwards: bool,
    start: Tensor | None = None,
) -> Tensor:
    sizes = list(parts[-1].shape)
    if stacked:
        sizes.insert(dim, count)
    else:
        sizes[dim] = sizes[dim] * count
    if start is not None:
        sizes[dim] = sizes[dim] + start.shape[dim]
    return parts[-1].new_empty(sizes)


STEP = torch.ops.lstm_export.step.default
COLLECT = torch.ops.lstm_export.collect.default

# A marker is there for its place in the graph, not for its value.
has_side_effect(STEP)
