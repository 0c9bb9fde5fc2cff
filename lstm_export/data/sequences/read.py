"""One table as the sequences that a classifier, a regressor or a tagger learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lstm_export.data.missing import Missing, check_policy
from lstm_export.data.sequences.answers import Role, Task, check_classes, choose_answer
from lstm_export.data.sequences.long import read_long
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.sequences.text import read_texts
from lstm_export.data.sequences.wide import read_wide
from lstm_export.data.table import Table
from lstm_export.errors import DataError, OptionError


def read_sequences(
    table: Table,
    task: Task,
    *,
    target: Sequence[str] | None,
    features: Sequence[str] | None = None,
    time: str | None = None,
    series_id: str | None = None,
    text: str | None = None,
    missing: Missing = "error",
    role: Role = "train",
) -> SequenceSet:
    """The sequences in `table`, each with its label, its target numbers or the labels of its steps.

    text: the column of texts, one per row. series_id: the column that tells the sequences of a
    long table apart, whose rows follow each other in the order of `time` (None: of the time column
    that is found, else of the file). With neither the table is wide: one row per sequence, its
    numeric columns the steps of one feature. target: the column of labels, or those of numbers.
    features: None, empty or "all" for every numeric column that is nothing else. missing: "error";
    "interpolate" along straight lines as for forecasts; "drop" the rows.

    role "test" takes labels of one kind; "predict" takes a table without the answers. Raises
    OptionError for arguments that do not go together, DataError for everything in the table that
    cannot be used, each in one message that names the column and the line.
    """
    check_policy(missing)
    target = [target] if isinstance(target, str) else list(target or ())
    named = [features] if isinstance(features, str) else list(features or ())
    if named == ["all"] and "all" not in table.columns:
        named = []
    answer = choose_answer(table, task, target, role)
    if both := [name for name in named if name in target]:
        raise DataError(
            f"the column {both[0]!r} is a target and cannot be a feature: it is what the answer "
            "shall be"
        )
    if text is not None:
        if others := [
            flag
            for flag, value in (("--series-id", series_id), ("--time", time), ("--features", named))
            if value
        ]:
            raise OptionError(f"--text reads a text per row: leave out {' and '.join(others)}")
        found = read_texts(table, task, answer, text, role)
    elif series_id is not None:
        found = read_long(table, task, answer, named or None, time, series_id, missing, role)
    elif task == "tag":
        raise OptionError(
            "to tag, each step needs a row with its label: name the column that tells the "
            "sequences apart with --series-id, or a column of texts with --text"
        )
    elif time is not None:
        raise OptionError("--time is the time of a long table: it needs --series-id")
    else:
        found = read_wide(table, task, answer, named or None, missing, role)
    if role == "train" and found.labels is not None:
        notes = check_classes(found.labels, found.answer[0], table.name)
        found = replace(found, notes=(*found.notes, *notes))
    return found
