"""One step of an LSTM.

Hochreiter and Schmidhuber, "Long Short-Term Memory" (1997), with the forget gate of Gers,
Schmidhuber and Cummins, "Learning to Forget" (2000)::

    i  = σ(x W_xi + h W_hi + b_i)         input gate: how much of the candidate is written
    f  = σ(x W_xf + h W_hf + b_f)         forget gate: near 1 keeps the cell state, near 0 forgets
    o  = σ(x W_xo + h W_ho + b_o)         output gate: how much of the cell state is shown
    c̃  = tanh(x W_xc + h W_hc + b_c)      candidate: what would be written
    c' = f ⊙ c + i ⊙ c̃                    cell state
    h' = o ⊙ tanh(c')                     hidden state

⊙ is the product element by element, σ(a) = 1 / (1 + exp(−a)).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from lstm_export.nn.equations.parameters import gate


class LSTMCell(nn.Module):
    """One step of an LSTM, called like torch.nn.LSTMCell: `h, c = cell(x, (h, c))`.

    Every W_x· is (input_size, hidden_size), every W_h· (hidden_size, hidden_size), every b_·
    (hidden_size,).
    """

    GATES: ClassVar[tuple[str, ...]] = ("i", "f", "c", "o")
    """In the order in which torch stacks them; the candidate is called g there."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.W_xi, self.W_hi, self.b_i = gate(input_size, hidden_size)
        self.W_xf, self.W_hf, self.b_f = gate(input_size, hidden_size)
        self.W_xo, self.W_ho, self.b_o = gate(input_size, hidden_size)
        self.W_xc, self.W_hc, self.b_c = gate(input_size, hidden_size)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """x (batch, input_size) and the state (h, c) before it to the state after it.

        h and c are (batch, hidden_size), zeros where no state is given.
        """
        if state is None:
            zeros = x.new_zeros(x.shape[0], self.hidden_size)
            state = zeros, zeros
        h, c = state
        i = torch.sigmoid(x @ self.W_xi + h @ self.W_hi + self.b_i)
        f = torch.sigmoid(x @ self.W_xf + h @ self.W_hf + self.b_f)
        o = torch.sigmoid(x @ self.W_xo + h @ self.W_ho + self.b_o)
        candidate = torch.tanh(x @ self.W_xc + h @ self.W_hc + self.b_c)
        c = f * c + i * candidate
        h = o * torch.tanh(c)
        return h, c

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"
