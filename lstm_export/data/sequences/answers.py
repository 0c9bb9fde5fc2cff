"""What is known of sequences: labels, as the strings they are in the file, and target numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from lstm_export.data.columns import existing
from lstm_export.data.places import clip, counted, listed, places
from lstm_export.data.table import SEPARATOR, Column, Table
from lstm_export.data.values import check_cells
from lstm_export.errors import DataError, OptionError

Task = Literal["classify", "regress", "tag"]
Role = Literal["train", "test", "predict"]
"""For training every sequence has an answer, and there are two labels at least; for testing one
will do; for predicting nothing need be known."""


def choose_answer(table: Table, task: Task, target: Sequence[str], role: Role) -> tuple[str, ...]:
    """The columns that are answered, `target`; none where a table to predict lacks one of them.

    Raises OptionError for no target or too many, DataError for one that does not exist.
    """
    what = "numbers" if task == "regress" else "labels"
    if role == "predict" and not set(target) <= table.columns.keys():
        return ()
    if not target and role != "predict":
        raise OptionError(
            f"to {task}, name the column of {what} with --target: {table.name} has "
            f"{listed(list(table.columns))}"
        )
    if len(target) > 1 and task != "regress":
        raise OptionError(f"to {task}, one column of labels is the target, got {listed(target)}")
    return existing(table, target, "target")


def cells(column: Column) -> list[str]:
    """All cells of `column`, as they are written."""
    return [cell for block in column.blocks() for cell in block.split(SEPARATOR)]


def read_labels(table: Table, name: str, role: Role) -> list[str] | None:
    """The labels of all rows, without white space around them.

    Raises DataError if one is empty; for predicting, labels with gaps are not read: None.
    """
    labels = [cell.strip() for cell in cells(table.columns[name])]
    empty = np.array([row for row, label in enumerate(labels) if not label], dtype=np.int64)
    if not len(empty):
        return labels
    if role == "predict":
        return None
    raise DataError(
        f"{table.name}: {counted(len(empty), 'empty label', 'empty labels')} in the column "
        f"{name!r}: {places(table, empty)}. Fill them in, or leave these rows out of the file"
    )


def read_numbers(table: Table, names: Sequence[str], role: Role) -> npt.NDArray[np.float64] | None:
    """The target numbers of all rows, (rows, targets).

    Raises DataError if one is not a finite number; for predicting, targets with gaps are not
    read: None.
    """
    columns = {name: table.columns[name].numbers() for name in names}
    check_cells(table, columns)
    for name, column in columns.items():
        empty = np.flatnonzero(np.isnan(column.values))
        if len(empty) and role == "predict":
            return None
        if len(empty):
            raise DataError(
                f"{table.name}: {counted(len(empty), 'value is', 'values are')} missing in the "
                f"target {name!r}: {places(table, empty)}. Fill them in, or leave these rows out "
                "of the file"
            )
    return np.column_stack([column.values for column in columns.values()])


def check_classes(labels: Sequence[str], column: str, where: str) -> list[str]:
    """A note on labels that only one sequence (or step) has.

    Raises DataError if there is one label only: nothing tells it from another.
    """
    counts = Counter(labels)
    if len(counts) == 1:
        (label,) = counts
        raise DataError(
            f"{where}: every label in the column {column!r} is {clip(label)}: expected at least "
            "two different ones"
        )
    rare = [repr(label) for label, count in counts.items() if count == 1]
    if not rare:
        return []
    return [f"{counted(len(rare), 'label occurs', 'labels occur')} only once: {listed(rare, 5)}"]


def check_labels(
    train_labels: Iterable[str], other_labels: Sequence[str], where: Sequence[str]
) -> None:
    """Raises DataError if one of `other_labels` never occurs among `train_labels`.

    where: for each of the other labels, what its sequence is called (`SequenceSet.label_names`).
    """
    known = dict.fromkeys(train_labels)
    strange: dict[str, str] = {}
    for label, name in zip(other_labels, where, strict=True):
        if label not in known:
            strange.setdefault(label, name)
    if not strange:
        return
    label, name = next(iter(strange.items()))
    more = f" (and {counted(len(strange) - 1, 'more', 'more')})" if len(strange) > 1 else ""
    raise DataError(
        f"the label {clip(label)} of {name}{more} never occurs in the training part, whose labels "
        f"are {listed([repr(one) for one in known])}. Correct it, leave the sequence out, or train "
        "on sequences that have it"
    )
