"""What a model of sequences has to beat: the commonest label or the mean, and the nearest
training sequence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_export.data.nearest import nearest_sequences
from lstm_export.data.sequences.sequence_set import Indices, SequenceSet

MAJORITY, MEAN, NEAREST = "majority", "mean", "1-NN"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The answers of one baseline."""

    name: str
    asked: Indices
    """Which sequences of the test part it answers; of tags, which labels."""
    labels: tuple[str, ...] | None
    numbers: npt.NDArray[np.float64] | None
    """(asked, targets)"""
    notes: tuple[str, ...] = ()


def baselines(train: SequenceSet, test: SequenceSet) -> list[Baseline]:
    """The answers to `test` that need no model, from the answers of `train`.

    Labels: the commonest in training (of equals, the first by code point). Numbers: their mean.
    For whole sequences of numbers also the answer of the nearest training sequence.
    """
    if train.labels is not None and test.labels is not None:
        counts = Counter(train.labels)
        commonest = min(counts, key=lambda label: (-counts[label], label))
        answers = (commonest,) * len(test.labels)
        found = [Baseline(MAJORITY, np.arange(len(answers)), answers, None)]
    else:
        assert train.numbers is not None
        mean = np.repeat(train.numbers.mean(axis=0, keepdims=True), len(test), axis=0)
        found = [Baseline(MEAN, np.arange(len(test)), None, mean)]
    if train.values is None or train.tagged:
        return found
    near = nearest_sequences(train, test)
    labels = None if train.labels is None else tuple(train.labels[i] for i in near.nearest.tolist())
    numbers = None if train.numbers is None else train.numbers[near.nearest]
    return [*found, Baseline(NEAREST, near.asked, labels, numbers, near.notes)]
