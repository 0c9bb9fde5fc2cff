"""A GRU whose reset gate comes before the recurrent product, which torch.nn.GRU cannot be.

Cho et al. (2014), and Keras with reset_after=False::

    z = σ(W_z x + b_z + R_z h)    r = σ(W_r x + b_r + R_r h)
    n = tanh(W_n x + b_n + R_n (r ⊙ h))    h' = z ⊙ h + (1 − z) ⊙ n
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lstm_export.importing.ops.op import Float


class ResetBefore(nn.Module):
    """Layers and directions as nn.GRU has them, over (batch, sequence_length, input_size).

    `layers` holds, by layer and direction, weight_ih (3H, in), weight_hh (3H, H) and biases (3H,)
    as far as there are any, gates r, z, n.
    """

    def __init__(self, hidden_size: int, layers: Sequence[Sequence[Mapping[str, Float]]]) -> None:
        super().__init__()
        self.hidden_size, self.directions = hidden_size, len(layers[0])
        self.num_layers = len(layers)
        for number, layer in enumerate(layers):
            for way, weights in enumerate(layer):
                end = f"_l{number}" + "_reverse" * way
                # The reset gate acts on the state alone, so that both biases are one.
                bias = torch.zeros(3 * hidden_size, dtype=torch.float64)
                for role in ("bias_ih", "bias_hh"):
                    if role in weights:
                        bias = bias + torch.tensor(weights[role])
                matrices = {role: weights[role] for role in ("weight_ih", "weight_hh")}
                for name, value in {**matrices, "bias": bias}.items():
                    tensor = torch.as_tensor(value).to(torch.float32)
                    self.register_parameter(name + end, nn.Parameter(tensor.contiguous()))

    def forward(
        self, x: Tensor, h_0: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """y (batch, sequence_length, directions · hidden_size) and the final h."""
        finals: list[Tensor] = []
        for number in range(self.num_layers):
            outputs = []
            for way in range(self.directions):
                end = f"_l{number}" + "_reverse" * way
                start = x.new_zeros(x.size(0), self.hidden_size)
                if h_0 is not None:
                    start = h_0[len(finals)]
                y, h = self._run(x, start, end, lengths, backward=way == 1)
                outputs.append(y)
                finals.append(h)
            x = torch.cat(outputs, -1)
        return x, torch.stack(finals)

    def _run(
        self, x: Tensor, h: Tensor, end: str, lengths: Tensor | None, *, backward: bool
    ) -> tuple[Tensor, Tensor]:
        steps = torch.arange(x.size(1), device=x.device)
        if lengths is None:
            valid = torch.ones_like(x[:, :, :1])
        else:
            valid = (steps[None, :] < lengths[:, None]).to(x.dtype).unsqueeze(-1)
        if backward:
            x, valid = x.flip(1), valid.flip(1)
        sums = nn.functional.linear(
            x, self.get_parameter("weight_ih" + end), self.get_parameter("bias" + end)
        )
        recurrent = self.get_parameter("weight_hh" + end)
        size = 2 * self.hidden_size
        gates, new = recurrent[:size], recurrent[size:]
        outputs = []
        for t in range(x.size(1)):
            x_rz, x_n = sums[:, t, :size], sums[:, t, size:]
            r, z = torch.sigmoid(x_rz + h @ gates.T).chunk(2, -1)
            n = torch.tanh(x_n + (r * h) @ new.T)
            stepped = z * h + (1 - z) * n
            h = stepped if lengths is None else torch.where(valid[:, t] > 0, stepped, h)
            outputs.append(h)
        y = torch.stack(outputs, 1)
        if lengths is not None:
            y = y * valid
        return (y.flip(1) if backward else y), h
