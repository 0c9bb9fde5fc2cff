"""Answers to sequences, or to each of their steps: classify, regress, tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from lstm_export.checkpoint import Description
from lstm_export.contract import DataOrigin, Recurrent
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.nn.initialise import initialise
from lstm_export.nn.sequence_model import SequenceModel
from lstm_export.nn.trainable import Trainable
from lstm_export.training.batches import Batches
from lstm_export.training.courses.course import Outcome, ToDevice
from lstm_export.training.evaluate import batch_within_memory
from lstm_export.training.evaluate_sequences import answers, prediction_columns, test_metrics
from lstm_export.training.options import TrainOptions
from lstm_export.training.prepare_sequences import Part, prepare_sequences
from lstm_export.training.schedule import EpochRecord
from lstm_export.training.sequence_batches import SequenceBatches


class SequenceCourse:
    """Raises DataError for data that cannot be used, OptionError for options that do not suit."""

    def __init__(self, options: TrainOptions) -> None:
        self._prepared = prepare_sequences(options)
        self._longest = int(max(np.diff(p.starts).max(initial=1) for p in self._parts))

    @property
    def _parts(self) -> tuple[Part, Part, Part]:
        return self._prepared.train, self._prepared.validation, self._prepared.test

    @property
    def tested(self) -> SequenceSet:
        """The sequences of the test part."""
        return self._prepared.test.source

    @property
    def options(self) -> TrainOptions:
        return self._prepared.options

    @property
    def origin(self) -> DataOrigin:
        return self._prepared.origin

    @property
    def notes(self) -> tuple[str, ...]:
        return self._prepared.notes

    @property
    def count(self) -> int:
        return len(self._prepared.train)

    @property
    def recurrent(self) -> Recurrent:
        return self._prepared.terms.recurrent

    @property
    def steps(self) -> int:
        return max(1, round(float(np.diff(self._prepared.train.starts).mean())))

    @property
    def evaluation_batch(self) -> int:
        return batch_within_memory(self._longest, self.recurrent)

    def build(self) -> SequenceModel:
        prepared = self._prepared
        return SequenceModel(
            prepared.terms, self.options.dropout, class_weights=prepared.class_weights
        )

    def initialise(self, model: Trainable) -> None:
        initialise(cast(SequenceModel, model), self.options.init, self._longest)

    def batches(self, to_device: ToDevice) -> tuple[Batches, Batches]:
        train, validation = (self._batches(part, to_device) for part in self._parts[:2])
        return train, validation

    def test_batches(self, to_device: ToDevice) -> Batches:
        return self._batches(self._prepared.test, to_device)

    def _batches(self, part: Part, to_device: ToDevice) -> Batches:
        arrays = (part.steps, part.starts, part.truth, np.arange(len(part)))
        return SequenceBatches(
            *map(to_device, arrays), every_step=self._prepared.terms.pooling is None
        )

    def finish(self, model: Trainable, history: Sequence[EpochRecord]) -> Outcome:
        prepared = self._prepared
        test, train = prepared.test, prepared.train
        predicted = answers(cast(SequenceModel, model), test, self.evaluation_batch)
        metrics = {
            **test_metrics(prepared.terms, train, test, predicted),
            "sequences": {
                name: len(part)
                for name, part in zip(("train", "validation", "test"), self._parts, strict=True)
            },
        }
        description = Description(
            None,
            prepared.origin,
            self.options.seed,
            metrics,
            {},
            sequences=prepared.terms,
            task=self.options.task,
        )
        return Outcome(description, prediction_columns(prepared.terms, test, predicted))
