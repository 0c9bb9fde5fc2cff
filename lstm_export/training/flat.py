"""All weights of a module in one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class FlatParameters:
    """Moves the parameters of `module`, and their gradients, into one vector each.

    The parameters become views of them, so that clearing, clipping and stepping cost one
    operation each instead of one per tensor: for a small LSTM that is a quarter of a step.
    """

    def __init__(self, module: nn.Module, values: Tensor | None = None) -> None:
        """`values`: the vector of another module of the same kind, to share its weights."""
        parameters = list(module.parameters())
        if values is None:
            values = torch.cat([parameter.detach().flatten() for parameter in parameters])
        self.values = values
        self.gradients = torch.zeros_like(self.values)
        sizes = [parameter.numel() for parameter in parameters]
        pieces = zip(
            torch.split(self.values, sizes), torch.split(self.gradients, sizes), strict=True
        )
        for parameter, (values, gradients) in zip(parameters, pieces, strict=True):
            parameter.data = values.view_as(parameter)
            parameter.grad = gradients.view_as(parameter)


class FusedAdam:
    """Adam (Kingma and Ba 2015) on one vector; weight decay is an L2 penalty on the gradients.

    The arithmetic is torch's fused kernel; its state is three tensors in plain sight.
    """

    def __init__(self, values: Tensor, gradients: Tensor, steps: int = 0) -> None:
        self._values, self._gradients = values, gradients
        self.first_moment = torch.zeros_like(values)
        self.second_moment = torch.zeros_like(values)
        self._steps = torch.tensor(float(steps), device=values.device)

    def step(self, lr: float, weight_decay: float) -> None:
        """One step down the gradients."""
        adam(
            [self._values],
            [self._gradients],
            [self.first_moment],
            [self.second_moment],
            [],
            [self._steps],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=lr,
            weight_decay=weight_decay,
            eps=1e-8,
            maximize=False,
        )


def average(averaged: Tensor, values: Tensor, decay: float, steps: int) -> None:
    """Moves `averaged` towards `values` after step number `steps`, from 1: a ← d·a + (1 − d)·v.

    d grows as (1 + steps) / (10 + steps) up to `decay`, so that the first weights are forgotten
    soon.
    """
    averaged.lerp_(values, 1 - min(decay, (1 + steps) / (10 + steps)))


def clip(gradients: Tensor, norm: float, value: float) -> None:
    """Limits the elements to ±`value` and the whole to the length `norm`, in place; 0: no limit."""
    if value:
        gradients.clamp_(-value, value)
    if norm:
        # NaN stays NaN: a diverged run must be seen, not clipped away.
        gradients.mul_((norm / (torch.linalg.vector_norm(gradients) + 1e-6)).clamp_(max=1.0))
