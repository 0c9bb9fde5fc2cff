"""What the training loop asks of a model."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class Trainable(nn.Module):
    """A module that knows its own loss."""

    loss: Callable[..., Tensor]
    """The mean loss, a float32 scalar, of one batch: tensors whose first axis is the batch. Each
    member weighs the same, so that the loss of a batch is the mean of its parts' by size."""
