"""What is made of a vector for a sequence, or for a step: one head for each kind of answer.

A head is linear, scores = W s + b, and knows what they mean and what they cost.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from lstm_export.contract import Sequences, Task

PADDED = -1
"""The class of a step behind the end of its sequence."""


class Labels(nn.Linear):
    """Classes: the answer is softmax(scores)."""

    class_weights: Tensor

    def __init__(
        self, width: int, terms: Sequences, class_weights: tuple[float, ...] | None = None
    ) -> None:
        """`class_weights` (classes,) multiply the losses of the classes."""
        super().__init__(width, len(terms.classes))
        weights = class_weights or (1.0,) * len(terms.classes)
        self.register_buffer("class_weights", torch.tensor(weights), persistent=False)

    def answer(self, scores: Tensor) -> Tensor:
        """Probabilities."""
        return torch.softmax(scores, dim=-1)

    def loss(self, scores: Tensor, truth: Tensor) -> Tensor:
        """The mean cross-entropy over sequences; truth is (batch,) or (batch, sequence_length),
        int64, PADDED behind the end.

        Of a sequence whose every step is answered it is the mean over its steps that counts, so
        that long sequences weigh as much as short ones.
        """
        missed = cross_entropy(
            scores.flatten(0, -2),
            truth.flatten(),
            weight=self.class_weights,
            reduction="none",
            ignore_index=PADDED,
        )
        if truth.dim() == 1:
            return missed.mean()
        counts = (truth != PADDED).sum(dim=1)
        return (missed.view_as(truth).sum(dim=1) / counts).mean()


class Numbers(nn.Linear):
    """Targets: the answer is scores · scale + offset, in their units."""

    offset: Tensor
    scale: Tensor

    def __init__(
        self, width: int, terms: Sequences, class_weights: tuple[float, ...] | None = None
    ) -> None:
        assert terms.target_scaling is not None
        assert class_weights is None
        super().__init__(width, len(terms.targets))
        scaling = terms.target_scaling
        self.register_buffer("offset", torch.tensor(scaling.offset), persistent=False)
        self.register_buffer("scale", torch.tensor(scaling.scale), persistent=False)

    def answer(self, scores: Tensor) -> Tensor:
        """The targets in raw units."""
        return scores * self.scale + self.offset

    def loss(self, scores: Tensor, truth: Tensor) -> Tensor:
        """The mean squared error, both sides scaled, (batch, targets)."""
        return mse_loss(scores, truth)


HEADS: dict[Task, type[Labels] | type[Numbers]] = {
    "classify": Labels,
    "tag": Labels,
    "regress": Numbers,
}
"""The heads by task."""
