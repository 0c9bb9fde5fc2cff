"""From what recurrent layers give at every step to one vector for a sequence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lstm_export.contract import Pooling

Pool = Callable[[Tensor, Tensor | None, bool], Tensor]

_PARTS = 1024.0
"""A power of 2: to multiply by it rounds nothing."""


def last(y: Tensor, lengths: Tensor | None, bidirectional: bool) -> Tensor:
    """The state after the last step read: y (batch, sequence_length, width) to (batch, width).

    The backward direction, the second half of y, reads the first step last.
    """
    if lengths is None:
        ends = y[:, -1]
    else:
        places = (lengths - 1).view(-1, 1, 1).expand(-1, 1, y.shape[2])
        ends = y.gather(1, places).squeeze(1)
    if not bidirectional:
        return ends
    half = y.shape[-1] // 2
    return torch.cat([ends[:, :half], y[:, 0, half:]], dim=-1)


def mean(y: Tensor, lengths: Tensor | None, bidirectional: bool) -> Tensor:
    """The mean over the steps of each sequence."""
    if lengths is None:
        return y.mean(dim=1)
    return total(y, lengths, bidirectional) / lengths.unsqueeze(1)


def maximum(y: Tensor, lengths: Tensor | None, bidirectional: bool) -> Tensor:
    """The largest value over the steps of each sequence, unit by unit."""
    return _only(y, lengths, float("-inf")).amax(dim=1)


def total(y: Tensor, lengths: Tensor | None, bidirectional: bool) -> Tensor:
    """The sum over the steps of each sequence.

    In two parts: multiples of 1/1024, of which thousands of steps add up without rounding in
    float32, and the small rest. Runtimes add in other orders; where terms of both signs cancel,
    what they round would be all that is left.
    """
    counted = _only(y, lengths, 0.0)
    coarse = torch.floor(counted * _PARTS) / _PARTS
    return coarse.sum(dim=1) + (counted - coarse).sum(dim=1)


def _only(y: Tensor, lengths: Tensor | None, otherwise: float) -> Tensor:
    """y, and `otherwise` behind the ends; chosen, not multiplied: padding may be NaN."""
    if lengths is None:
        return y
    inside = torch.arange(y.shape[1], device=y.device) < lengths.unsqueeze(1)
    return torch.where(inside.unsqueeze(2), y, otherwise)


POOL: dict[Pooling, Pool] = {"last": last, "mean": mean, "max": maximum, "sum": total}
"""How each pooling is done, by name."""
