"""Answers to sequences as the columns of a table, called as in a run's predictions.csv."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_export.data.vocabulary import words
from lstm_export.runtime.columns import numbers
from lstm_export.runtime.sequence_table import Answered


def answer_columns(answered: Answered) -> dict[str, Sequence[object]]:
    """One row per sequence, or per step with its number from 1: the sequence, `{answer} truth`
    where it is known, `{answer} prediction`, and of labels `probability of {class}` for each.

    The steps of texts have the `word` that is labelled.
    """
    terms, given = answered.terms, answered.given
    columns: dict[str, Sequence[object]] = {"sequence": given.names}
    if terms.pooling is None:
        names = np.array(given.names, dtype=object)
        columns["sequence"] = np.repeat(names, answered.lengths).tolist()
        steps = [np.arange(1, length + 1) for length in answered.lengths.tolist()]
        columns["step"] = np.concatenate(steps).tolist()
        if given.texts is not None:
            columns["word"] = [word for text in given.texts for word in words(text)]
    if not terms.classes:
        for i, target in enumerate(terms.targets):
            if given.numbers is not None:
                columns[f"{target.name} truth"] = numbers(given.numbers[:, i])
            columns[f"{target.name} prediction"] = numbers(answered.values[:, i])
        return columns
    (answer,) = terms.answer
    if given.labels is not None:
        columns[f"{answer} truth"] = given.labels
    columns[f"{answer} prediction"] = answered.labels
    for i, name in enumerate(terms.classes):
        columns[f"probability of {name}"] = numbers(answered.values[:, i])
    return columns
