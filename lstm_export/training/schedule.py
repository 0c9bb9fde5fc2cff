"""Learning rate and early stopping, as functions of what has happened so far.

Nothing here has a state of its own, so that a resumed run cannot come to another decision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lstm_export.training.options import TrainOptions

_PLATEAU_FACTOR = 0.5
_PLATEAU_SHARE = 4
"""A plateau is patience / 4 epochs, so that a smaller rate has its chance before the stop."""
_PLATEAU_EPOCHS = 10
"""The length of a plateau where patience is 0."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One line of metrics.jsonl. Losses are mean squared errors in scaled units."""

    epoch: int
    """From 1."""
    train_loss: float
    validation_loss: float | None
    lr: float


def best_epoch(history: Sequence[EpochRecord]) -> int:
    """The epoch whose weights are kept: the first with the least validation loss.

    Without a validation part it is the last one; 0 before the first.
    """
    if not history or history[-1].validation_loss is None:
        return len(history)
    losses = [_loss(record) for record in history]
    return 1 + losses.index(min(losses))


def stops(options: TrainOptions, history: Sequence[EpochRecord], steps: int) -> bool:
    """Whether training ends after `history` and `steps` optimiser steps in all."""
    if len(history) >= options.epochs or (options.max_steps and steps >= options.max_steps):
        return True
    return bool(options.patience) and len(history) - best_epoch(history) >= options.patience


def learning_rate(options: TrainOptions, history: Sequence[EpochRecord]) -> float:
    """The rate of the epoch after `history`.

    cosine: half a cosine wave from lr down over `epochs`. plateau: halved whenever the validation
    loss has not fallen for a quarter of the patience.
    """
    if options.schedule == "cosine":
        return options.lr * (1 + math.cos(math.pi * len(history) / options.epochs)) / 2
    if options.schedule == "plateau":
        return options.lr * _PLATEAU_FACTOR ** _plateaus(options, history)
    return options.lr


def _plateaus(options: TrainOptions, history: Sequence[EpochRecord]) -> int:
    length = max(1, options.patience // _PLATEAU_SHARE) if options.patience else _PLATEAU_EPOCHS
    best, stale, plateaus = math.inf, 0, 0
    for record in history:
        loss = _loss(record)
        best, stale = (loss, 0) if loss < best else (best, stale + 1)
        if stale == length:
            plateaus, stale = plateaus + 1, 0
    return plateaus


def _loss(record: EpochRecord) -> float:
    return math.inf if record.validation_loss is None else record.validation_loss
