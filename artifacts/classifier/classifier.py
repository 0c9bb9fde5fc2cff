"""Sequences of different lengths, told apart by a two-direction LSTM and a dense head."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

FEATURES, HIDDEN, CLASSES = 3, 6, 4


class Classifier(nn.Module):
    """x (batch, sequence_length, 3) and lengths (batch,) to the logits of four classes.

    What lies behind the end of a sequence has no influence, in either direction.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, HIDDEN, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * HIDDEN, CLASSES)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.head(torch.cat([h[-2], h[-1]], dim=1))


def build() -> Classifier:
    """The module with the weights beside this file."""
    module = Classifier()
    module.load_state_dict(load_file(Path(__file__).with_name("weights.safetensors")))
    return module.eval()


def example() -> tuple[Tensor, Tensor]:
    """What forward is called with, for its shapes."""
    return torch.linspace(-1, 1, 3 * 5 * FEATURES).reshape(3, 5, FEATURES), torch.tensor([5, 2, 4])
