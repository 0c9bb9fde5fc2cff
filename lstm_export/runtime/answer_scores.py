"""Answers to sequences beside what is known of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from lstm_export.data.metrics import (
    Confusion,
    accuracy,
    confusion,
    macro_f1,
    mae,
    precision,
    r2,
    recall,
    rmse,
)
from lstm_export.runtime.sequence_table import Answered


@dataclass(frozen=True, slots=True)
class LabelScores:
    """How often labels are right. `labels` are the model's classes and, after them, those of the
    table that it has never seen, each of which is a wrong answer wherever it is true."""

    labels: tuple[str, ...]
    confusion: Confusion
    """(labels, labels): the truth in the rows, the answers in the columns."""
    unseen: dict[str, int]
    """How often each label occurs that the model has never seen."""

    @property
    def accuracy(self) -> float:
        return accuracy(self.confusion)

    @property
    def macro_f1(self) -> float:
        return macro_f1(self.confusion)

    def by_class(self) -> dict[str, dict[str, float]]:
        """precision, recall and count (how often it is true) of every label."""
        counts = self.confusion.sum(axis=1).tolist()
        shares = (precision(self.confusion).tolist(), recall(self.confusion).tolist(), counts)
        return {
            label: {"precision": named, "recall": found, "count": count}
            for label, named, found, count in zip(self.labels, *shares, strict=True)
        }


def label_scores(answered: Answered) -> LabelScores | None:
    """None where no labels are known."""
    truth, classes = answered.given.labels, answered.terms.classes
    if truth is None:
        return None
    known = set(classes)
    unseen = Counter(label for label in truth if label not in known)
    labels = (*classes, *unseen)
    number = {label: i for i, label in enumerate(labels)}
    true = np.array([number[label] for label in truth], np.int64)
    matrix = confusion(true, answered.values.argmax(axis=1), len(labels))
    return LabelScores(labels, matrix, dict(unseen))


def number_scores(answered: Answered) -> dict[str, dict[str, float | None]] | None:
    """rmse, mae and r2 by target, r2 None where the truth never varies; None where no numbers are
    known."""
    truth = answered.given.numbers
    if truth is None:
        return None
    predicted = answered.values.astype(np.float64)
    measures = {"rmse": rmse, "mae": mae, "r2": r2}
    values = {name: measure(predicted, truth).tolist() for name, measure in measures.items()}
    return {
        target.name: {name: _known(each[i]) for name, each in values.items()}
        for i, target in enumerate(answered.terms.targets)
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
