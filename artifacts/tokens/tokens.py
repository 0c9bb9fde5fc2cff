"""The next token after each one: an embedding, two LSTM layers, logits."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

VOCABULARY, WIDTH, HIDDEN = 8, 3, 6


class NextToken(nn.Module):
    """tokens, int64 (batch, sequence_length), to logits (batch, sequence_length, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.lstm = nn.LSTM(WIDTH, HIDDEN, num_layers=2, batch_first=True)
        self.head = nn.Linear(HIDDEN, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden, _ = self.lstm(self.embedding(tokens))
        return self.head(hidden)


def build() -> NextToken:
    """The module with the weights beside this file."""
    module = NextToken()
    module.load_state_dict(load_file(Path(__file__).with_name("weights.safetensors")))
    return module.eval()


def example() -> tuple[Tensor]:
    """What forward is called with, for its shapes and for the tokens that there are."""
    return (torch.arange(3 * 5).reshape(3, 5) % VOCABULARY,)
