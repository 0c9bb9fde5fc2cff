"""An LSTM with projected outputs, two layers of it, with a dense head over its steps."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

FEATURES, HIDDEN, PROJECTED = 3, 5, 2


class Projected(nn.Module):
    """x (batch, sequence_length, 3) to two values a step, (batch, sequence_length, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, HIDDEN, num_layers=2, proj_size=PROJECTED, batch_first=True)
        self.head = nn.Linear(PROJECTED, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.lstm(x)
        return self.head(hidden)


def build() -> Projected:
    """The module with the weights beside this file."""
    module = Projected()
    module.load_state_dict(load_file(Path(__file__).with_name("weights.safetensors")))
    return module.eval()


def example() -> tuple[Tensor]:
    """What forward is called with, for its shapes."""
    return (torch.linspace(-1, 1, 3 * 4 * FEATURES).reshape(3, 4, FEATURES),)
