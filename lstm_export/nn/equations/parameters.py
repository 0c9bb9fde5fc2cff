"""The three parameters of one gate, before training."""

from __future__ import annotations

import math

import torch
from torch import nn


def gate(input_size: int, hidden_size: int) -> tuple[nn.Parameter, nn.Parameter, nn.Parameter]:
    """W_x (input_size, hidden_size), W_h (hidden_size, hidden_size) and b (hidden_size,).

    Weights are drawn from U(−1/√hidden_size, 1/√hidden_size), as torch.nn does it; biases are 0.
    """
    bound = 1 / math.sqrt(hidden_size)
    W_x, W_h = (
        nn.Parameter(torch.empty(rows, hidden_size).uniform_(-bound, bound))
        for rows in (input_size, hidden_size)
    )
    return W_x, W_h, bias(hidden_size)


def bias(hidden_size: int) -> nn.Parameter:
    """Zeros (hidden_size,)."""
    return nn.Parameter(torch.zeros(hidden_size))
