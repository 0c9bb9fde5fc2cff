"""A GRU whose state goes in and comes out, with a dense head over its steps."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

FEATURES, HIDDEN, LAYERS = 3, 6, 2


class CarriedGRU(nn.Module):
    """x (batch, sequence_length, 3) and initial_h (2, batch, 6) to y, one value a step, and the
    state after the last.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(FEATURES, HIDDEN, num_layers=LAYERS, batch_first=True)
        self.head = nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor, initial_h: Tensor) -> dict[str, Tensor]:
        hidden, final_h = self.gru(x, initial_h)
        return {"y": self.head(hidden), "final_h": final_h}


def build() -> CarriedGRU:
    """The module with the weights beside this file."""
    module = CarriedGRU()
    module.load_state_dict(load_file(Path(__file__).with_name("weights.safetensors")))
    return module.eval()


def example() -> tuple[Tensor, Tensor]:
    """What forward is called with, for its shapes."""
    x = torch.linspace(-1, 1, 4 * 5 * FEATURES).reshape(4, 5, FEATURES)
    return x, torch.zeros(LAYERS, 4, HIDDEN)
