"""What recurrent layers read of a model's input: one front end for each kind of input.

Each works in two parts. `prepared` has no weights: training does it once, beforehand. A call gives
what the layers read, (batch, sequence_length, input_size).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lstm_export.contract import Reads, Sequences


class Rows(nn.Module):
    """Rows of numbers in raw units: z[t] = (x[t] − offset) / scale."""

    offset: Tensor
    scale: Tensor

    def __init__(self, terms: Sequences) -> None:
        super().__init__()
        scaling = terms.input_scaling
        self.register_buffer("offset", torch.tensor(scaling.offset), persistent=False)
        self.register_buffer("scale", torch.tensor(scaling.scale), persistent=False)

    def prepared(self, x: Tensor) -> Tensor:
        """Raw rows scaled, (batch, sequence_length, features)."""
        return (x - self.offset) / self.scale

    def forward(self, z: Tensor) -> Tensor:
        return z


class Symbols(nn.Embedding):
    """Ids of symbols: z[t] = weight[x[t]].

    Id 0, whatever is unknown, is the zero vector: in training there is nothing unknown.
    """

    def __init__(self, terms: Sequences) -> None:
        assert terms.vocabulary is not None
        super().__init__(terms.vocabulary.size, terms.embedding_size, padding_idx=0)

    def prepared(self, x: Tensor) -> Tensor:
        """Ids as they are, (batch, sequence_length)."""
        return x


FRONT_ENDS: dict[Reads, type[Rows] | type[Symbols]] = {"rows": Rows, "symbols": Symbols}
"""The front ends by what is read."""
