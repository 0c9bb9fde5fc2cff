"""Answers for a table: its sequences found by the columns in the contract, labels told apart."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from lstm_export.contract import SequenceColumns, Sequences
from lstm_export.data.missing import Missing
from lstm_export.data.sequences.answers import Task
from lstm_export.data.sequences.read import read_sequences
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.table import Table
from lstm_export.errors import DataError, InputError, OptionError
from lstm_export.runtime.answer_model import AnswerModel

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Float32


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model says to the sequences of a table: `values` is (sequences, width), or, where it
    answers every step, (steps, width), those of one sequence after the other."""

    terms: Sequences
    given: SequenceSet
    values: Float32
    lengths: Array
    """How many rows of `values` each sequence has, (sequences,)."""

    @property
    def labels(self) -> list[str]:
        """The likeliest class of each row of `values`."""
        return [self.terms.classes[i] for i in self.values.argmax(axis=1).tolist()]


def sequences_for(
    model: AnswerModel,
    table: Table,
    *,
    series_id: str | None = None,
    time: str | None = None,
    text: str | None = None,
    missing: Missing = "error",
) -> SequenceSet:
    """The sequences that `model` takes from `table`, with their answers where these are known.

    The columns are those of the table that it was trained on, or those named here in their place.
    Raises OptionError for a name that makes no sense, or one that is wanted and nobody knows;
    DataError for what cannot be used in the table.
    """
    terms = model.terms
    columns = _columns(terms, series_id, time, text)
    features = [column.name for column in terms.features] if columns.series_id else columns.steps
    found = read_sequences(
        table,
        cast("Task", model.contract.task),
        target=terms.answer,
        features=features,
        time=columns.time,
        series_id=columns.series_id,
        text=columns.text,
        missing=missing,
        role="predict",
    )
    if not len(found):
        raise DataError(f"{table.name} has no sequence to answer: no row of it is complete")
    return replace(found, notes=(*found.notes, *_answer_notes(table, terms, found, columns)))


def answer_sequences(model: AnswerModel, given: SequenceSet) -> Answered:
    """What `model` says to each of `given`. Raises InputError naming the sequence."""
    items: list[object]
    if given.texts is not None:
        items = list(given.texts)
    else:
        assert given.values is not None
        items = list(np.split(given.values, given.starts[1:-1]))
    answers = []
    source = model.map(items)
    for name in given.names:
        try:
            answers.append(next(source))
        except InputError as error:
            raise InputError(f"the sequence {name}: {error}") from None
    if model.terms.pooling is not None:
        return Answered(model.terms, given, np.stack(answers), np.ones(len(answers), np.int64))
    lengths = np.array([len(steps) for steps in answers], np.int64)
    return Answered(model.terms, given, np.concatenate(answers), lengths)


def _columns(
    terms: Sequences, series_id: str | None, time: str | None, text: str | None
) -> SequenceColumns:
    known = terms.source or SequenceColumns()
    if terms.vocabulary is not None:
        text = text or known.text
        if text is None:
            raise OptionError(
                "the model reads texts and does not say in which column: name it with --text"
            )
        return SequenceColumns(series_id, time, text)
    if text is not None:
        raise OptionError(f"the model reads rows of numbers: leave out --text {text}")
    chosen = SequenceColumns(series_id or known.series_id, time or known.time, None, known.steps)
    if terms.source is None and chosen.series_id is None:
        raise OptionError(
            "the model does not say which column tells the sequences apart: name it with "
            "--series-id"
        )
    return chosen


def _answer_notes(
    table: Table, terms: Sequences, found: SequenceSet, columns: SequenceColumns
) -> list[str]:
    """What of the answers is not there, and which columns nobody named were read as steps."""
    notes = []
    absent = [name for name in terms.answer if name not in table.columns]
    for name in absent:
        near = difflib.get_close_matches(name, table.columns, n=1)
        if near and near[0] not in (columns.series_id, columns.time, columns.text):
            notes.append(f"there is no column {name!r}; did you mean {near[0]!r}?")
    if not absent and not found.answer:
        notes.append(f"{', '.join(terms.answer)}: cells are empty, so nothing is compared with it")
    return notes
