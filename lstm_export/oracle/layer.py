"""What the three cells share: the weights of one layer in one direction, and the sigmoid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
State = tuple[Array, ...]
"""(h,), and for an LSTM (h, c): each (batch, size) of one layer in one direction."""


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer in one direction, named as in torch. G is the number of gates: 4, 3 or 1."""

    weight_ih: Array
    """(G * hidden_size, input_size of this layer)"""
    weight_hh: Array
    """(G * hidden_size, state_size)"""
    bias_ih: Array
    """(G * hidden_size,)"""
    bias_hh: Array
    """(G * hidden_size,)"""
    weight_hr: Array | None = None
    """(proj_size, hidden_size), where an LSTM projects its output."""


def sigmoid(a: Array) -> Array:
    """σ(a) = 1 / (1 + exp(−a)), without overflow: the exponent is never positive."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1 / (1 + e), e / (1 + e))
