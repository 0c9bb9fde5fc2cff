"""What a task gives to training: data, a model, and what is done with it once it is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy.typing as npt
from torch import Tensor

from lstm_export.checkpoint import Description
from lstm_export.contract import DataOrigin, Recurrent
from lstm_export.nn.trainable import Trainable
from lstm_export.training.batches import Batches
from lstm_export.training.options import TrainOptions
from lstm_export.training.schedule import EpochRecord

ToDevice = Callable[[npt.NDArray], Tensor]  # type: ignore[type-arg]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is left of a trained model beside its weights: terms, test metrics, predictions."""

    description: Description
    """Without what every task has: seed, versions."""
    predictions: dict[str, Sequence[object]]
    """The columns of predictions.csv."""


class Course(Protocol):
    """A run of one task, known before its first step."""

    @property
    def options(self) -> TrainOptions:
        """As given, with what was left open decided."""

    @property
    def origin(self) -> DataOrigin: ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must be told."""

    @property
    def count(self) -> int:
        """Members of the training part: windows, or sequences."""

    @property
    def recurrent(self) -> Recurrent: ...

    @property
    def steps(self) -> int:
        """Of a usual member."""

    @property
    def evaluation_batch(self) -> int:
        """Members that are judged at once."""

    def build(self) -> Trainable:
        """The model as torch makes it."""

    def initialise(self, model: Trainable) -> None:
        """Sets its first weights."""

    def batches(self, to_device: ToDevice) -> tuple[Batches, Batches]:
        """Of the training part and of the validation part."""

    def test_batches(self, to_device: ToDevice) -> Batches:
        """Of the test part."""

    def finish(self, model: Trainable, history: Sequence[EpochRecord]) -> Outcome:
        """Judges the trained model on the test part."""
