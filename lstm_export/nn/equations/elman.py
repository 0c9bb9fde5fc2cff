"""One step of Elman's network, the plain RNN.

Elman, "Finding Structure in Time" (1990)::

    h' = tanh(x W_xh + h W_hh + b_h)

with max(0, ·) in place of tanh where `nonlinearity` is "relu" (Le, Jaitly and Hinton, "A Simple
Way to Initialize Recurrent Networks of Rectified Linear Units", 2015).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from lstm_export.errors import OptionError
from lstm_export.nn.equations.parameters import gate

Nonlinearity = Literal["tanh", "relu"]


class ElmanCell(nn.Module):
    """One step of a plain RNN, called like torch.nn.RNNCell: `h = cell(x, h)`.

    W_xh is (input_size, hidden_size), W_hh (hidden_size, hidden_size), b_h (hidden_size,).
    """

    GATES: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(
        self, input_size: int, hidden_size: int, nonlinearity: Nonlinearity = "tanh"
    ) -> None:
        super().__init__()
        if nonlinearity not in ("tanh", "relu"):
            raise OptionError(f"nonlinearity: expected 'tanh' or 'relu', got {nonlinearity!r}")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.nonlinearity = nonlinearity
        self.W_xh, self.W_hh, self.b_h = gate(input_size, hidden_size)

    def forward(self, x: Tensor, state: Tensor | None = None) -> Tensor:
        """x (batch, input_size) and the state h before it to the state after it.

        h is (batch, hidden_size), zeros where no state is given.
        """
        h = x.new_zeros(x.shape[0], self.hidden_size) if state is None else state
        a = x @ self.W_xh + h @ self.W_hh + self.b_h
        return torch.tanh(a) if self.nonlinearity == "tanh" else torch.relu(a)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, nonlinearity={self.nonlinearity!r}"
