"""One step of a GRU.

Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder" (2014), in the form of
torch.nn.GRU, of ONNX with linear_before_reset=1 and of Keras with reset_after=True::

    r  = σ(x W_xr + h W_hr + b_r)                   reset gate: near 0 hides the old state
    z  = σ(x W_xz + h W_hz + b_z)                   update gate: near 1 keeps the old state
    h̃  = tanh(x W_xh + b_h + r ⊙ (h W_hh + b_hh))   candidate
    h' = z ⊙ h + (1 − z) ⊙ h̃                        hidden state

The paper has (r ⊙ h) W_hh in the candidate: the gate acts before the matrix. Here it acts after
it, so that all three products with h can be computed at once. What the gate multiplies is then a
linear function of h with a bias of its own, b_hh; b_h stands outside the bracket, and since r
varies no sum of the two would do. That is the one bias more than the other gates have.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from lstm_export.nn.equations.parameters import bias, gate


class GRUCell(nn.Module):
    """One step of a GRU, called like torch.nn.GRUCell: `h = cell(x, h)`.

    Every W_x· is (input_size, hidden_size), every W_h· (hidden_size, hidden_size), every b_·
    (hidden_size,).
    """

    GATES: ClassVar[tuple[str, ...]] = ("r", "z", "h")
    """In the order in which torch stacks them; the candidate is called n there."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.W_xr, self.W_hr, self.b_r = gate(input_size, hidden_size)
        self.W_xz, self.W_hz, self.b_z = gate(input_size, hidden_size)
        self.W_xh, self.W_hh, self.b_h = gate(input_size, hidden_size)
        self.b_hh = bias(hidden_size)

    def forward(self, x: Tensor, state: Tensor | None = None) -> Tensor:
        """x (batch, input_size) and the state h before it to the state after it.

        h is (batch, hidden_size), zeros where no state is given.
        """
        h = x.new_zeros(x.shape[0], self.hidden_size) if state is None else state
        r = torch.sigmoid(x @ self.W_xr + h @ self.W_hr + self.b_r)
        z = torch.sigmoid(x @ self.W_xz + h @ self.W_hz + self.b_z)
        candidate = torch.tanh(x @ self.W_xh + self.b_h + r * (h @ self.W_hh + self.b_hh))
        return z * h + (1 - z) * candidate

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"
