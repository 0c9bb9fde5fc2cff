"""A model whose answers are the probabilities of classes: it names the likeliest one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_export.errors import InputError, OptionError
from lstm_export.runtime.answer_model import AnswerModel

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array


class LabelModel(AnswerModel):
    """A model that classifies sequences, or tags their steps; a call gives probabilities."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, as the training data has them, in the order of the probabilities."""
        return self.terms.classes

    def classify(self, x: object, *, lengths: object = None) -> str | list[str]:
        """The likeliest label of one sequence, or of each of several.

        `x` and `lengths` are as for a call. Raises InputError, and OptionError for a model that
        tags steps.
        """
        if self.terms.pooling is None:
            raise OptionError("this model labels every step of a sequence: call tag")
        labels: str | list[str] = self._named(self(x, lengths=lengths))
        return labels

    def tag(self, x: object, *, lengths: object = None) -> list[str] | list[list[str]]:
        """The likeliest label of every step of one sequence, or of each of several.

        `x` and `lengths` are as for a call. A text has as many as it has symbols. Raises
        InputError, and OptionError for a model that classifies whole sequences.
        """
        if self.terms.pooling is not None:
            raise OptionError("this model labels whole sequences: call classify")
        answers = self(x, lengths=lengths)
        if isinstance(answers, list):
            return [self._named(steps) for steps in answers]
        labels: list[str] | list[list[str]] = self._named(answers)
        return labels

    def _named(self, probabilities: Array) -> Any:
        """The labels of (..., classes), in lists as the axes before the last are nested."""
        if np.isnan(probabilities).any():
            raise InputError("some probabilities are NaN, so there is no likeliest class")
        names = np.array(self.terms.classes, dtype=object)
        return names[probabilities.argmax(axis=-1, keepdims=True)][..., 0].tolist()
