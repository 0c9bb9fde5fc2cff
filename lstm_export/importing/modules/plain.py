"""What has no weights: choices of steps, axes, joins."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import Tensors
from lstm_export.importing.ops.shaping import order_of


class Plain(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *values: Tensor) -> Tensor:
        return self.function(*values)


class OverSteps(nn.Module):
    """last, first, last_valid, mean or max over the steps, up to each length where there are."""

    def __init__(self, op: str, batch_first: bool) -> None:
        super().__init__()
        self.op, self.batch_first = op, batch_first

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        if not self.batch_first:
            x = x.transpose(0, 1)
        if self.op in ("last", "first"):
            return x[:, -1] if self.op == "last" else x[:, 0]
        if lengths is None:
            return x.mean(1) if self.op == "mean" else x.amax(1)
        rows = (-1,) + (1,) * (x.dim() - 1)
        if self.op == "last_valid":
            index = (lengths.long() - 1).reshape(rows).expand(-1, 1, *x.shape[2:])
            return x.gather(1, index).squeeze(1)
        steps = torch.arange(x.size(1), device=x.device)
        within = (steps[None, :] < lengths[:, None]).reshape(
            x.size(0), x.size(1), *(1,) * (x.dim() - 2)
        )
        if self.op == "max":
            return x.masked_fill(~within, float("-inf")).amax(1)
        total = x.masked_fill(~within, 0.0).sum(1)
        return total / lengths.to(x.dtype).reshape(rows[: total.dim()])


def over_steps(step: Step, tensors: Tensors) -> nn.Module:
    """One step of each sequence, or a summary."""
    return OverSteps(step.op, bool(step.options.get("batch_first", True)))


def shaping(step: Step, tensors: Tensors) -> nn.Module:
    """Axes turned, dropped, added, merged or taken; or nothing at all."""
    axis, index = step.options.get("axis", -1), step.options.get("index", -1)
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "permute": lambda x: x.permute(order_of(step, x.dim())),
        "time_major": lambda x: x.transpose(0, 1),
        "squeeze": lambda x: x.squeeze(axis),
        "unbatched": lambda x: x.unsqueeze(0),
        "flatten": lambda x: x.flatten(1),
        "pick": lambda x: x.select(step.options.get("axis", 0), index),
    }
    return Plain(functions[step.op]) if step.op in functions else nn.Identity()


def joining(step: Step, tensors: Tensors) -> nn.Module:
    """Several values into one."""
    axis = step.options.get("axis", -1)
    functions: dict[str, Callable[..., Tensor]] = {
        "concat": lambda *values: torch.cat(values, axis),
        "add": _add,
        "mul": _mul,
        "skip": lambda value, over: (
            value + over[..., : step.options.get("channels", value.size(-1))]
        ),
    }
    return Plain(functions[step.op])


def _add(first: Tensor, *others: Tensor) -> Tensor:
    for other in others:
        first = first + other
    return first


def _mul(first: Tensor, *others: Tensor) -> Tensor:
    for other in others:
        first = first * other
    return first
