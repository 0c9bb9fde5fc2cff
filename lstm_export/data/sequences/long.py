"""Long tables: a row per step, and a column that tells the sequences apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lstm_export.data.columns import choose_features, existing
from lstm_export.data.missing import Missing
from lstm_export.data.places import clip, counted, listed
from lstm_export.data.rows import Grouped, group_by_series
from lstm_export.data.sequences.answers import Role, Task, read_labels, read_numbers
from lstm_export.data.sequences.order import order_rows
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.table import Table
from lstm_export.data.values import read_values
from lstm_export.errors import DataError

Rows = npt.NDArray[np.int64]


def read_long(
    table: Table,
    task: Task,
    answer: tuple[str, ...],
    features: Sequence[str] | None,
    time: str | None,
    series_id: str,
    missing: Missing,
    role: Role,
) -> SequenceSet:
    """One sequence for each different cell of `series_id`, in the order in which these appear.

    features: None for every numeric column but `answer`, the id and the time. Rows of one id need
    not stand together. Raises DataError for values that cannot be used, for a time that repeats,
    and where the rows of one id disagree about the answer to it.
    """
    id_column = existing(table, [series_id], "series id")[0]
    if both := {id_column, time} & {*answer, *(features or ())}:
        raise DataError(
            f"the column {both.pop()!r} cannot be the series id or the time and a value"
        )
    grouped = group_by_series(table, id_column)
    ordered = order_rows(table, time, {id_column, *answer, *(features or ())}, grouped)
    apart = {id_column, ordered.time or id_column, *answer}
    chosen = choose_features(table, features or "all", (), apart)
    if not chosen:
        raise DataError(
            f"{table.name}: beside {listed(sorted(apart))} there is no numeric column: expected "
            "at least one to be the features"
        )
    unused = [name for name in table.columns if name not in {*chosen, *apart}]
    read = read_values(
        *(table, chosen, (), ordered.rows, grouped.begins, missing, "train"),
        consequence="their sequences go on without them",
    )
    notes = [*ordered.notes, *read.notes]
    if unused and role == "train":
        notes.append(f"columns not used: {listed(unused)}")

    sequence = (np.cumsum(grouped.begins) - 1)[read.kept.rows]
    lengths = np.bincount(sequence, minlength=len(grouped.names))
    if not lengths.all():
        empty = [grouped.names[i] for i in np.flatnonzero(lengths == 0).tolist()]
        notes.append(
            f"left out, as no row is complete: {counted(len(empty), 'sequence', 'sequences')}: "
            f"{listed(empty, 5)}"
        )
    rows = ordered.rows[read.kept.rows]
    labels, numbers = _answers(table, task, answer, rows, sequence, grouped, role)
    return SequenceSet(
        names=tuple(grouped.names[i] for i in np.flatnonzero(lengths).tolist()),
        values=read.values,
        texts=None,
        starts=np.concatenate([[0], np.cumsum(lengths[lengths > 0])]).astype(np.int64),
        features=chosen,
        answer=answer if labels is not None or numbers is not None else (),
        labels=labels,
        numbers=numbers,
        notes=tuple(notes),
        time=ordered.time,
    )


def _answers(
    table: Table,
    task: Task,
    answer: tuple[str, ...],
    rows: Rows,
    sequence: Rows,
    grouped: Grouped,
    role: Role,
) -> tuple[tuple[str, ...] | None, npt.NDArray[np.float64] | None]:
    """Labels or target numbers of the kept `rows`, which belong to `sequence`."""
    if not answer:
        return None, None
    first = np.flatnonzero(np.diff(sequence, prepend=-1))
    # For each row, the first row of its sequence.
    leader = np.repeat(first, np.diff(first, append=len(rows)))
    if task == "regress":
        numbers = read_numbers(table, answer, role)
        if numbers is None:
            return None, None
        for name, column in zip(answer, numbers[rows].T, strict=True):
            _check_one_each(table, name, rows, leader, column != column[leader], grouped, sequence)
        return None, numbers[rows[first]]
    labels = read_labels(table, answer[0], role)
    if labels is None:
        return None, None
    kept = np.array(labels, dtype=object)[rows]
    if task == "tag":
        return tuple(kept.tolist()), None
    _check_one_each(table, answer[0], rows, leader, kept != kept[leader], grouped, sequence)
    return tuple(kept[first].tolist()), None


def _check_one_each(
    table: Table,
    name: str,
    rows: Rows,
    leader: Rows,
    differs: npt.NDArray[np.bool_],
    grouped: Grouped,
    sequence: Rows,
) -> None:
    """Raises DataError for the first row whose answer `differs` from that of its sequence."""
    wrong = np.flatnonzero(differs)
    if not len(wrong):
        return
    column, called = table.columns[name], grouped.names[int(sequence[wrong[0]])]
    one, other = int(rows[leader[wrong[0]]]), int(rows[wrong[0]])
    count = len(np.unique(sequence[wrong]))
    more = f" ({count - 1:,} more likewise)" if count > 1 else ""
    raise DataError(
        f"{table.name}: the sequence {clip(called)} has two answers in "
        f"the column {name!r}: {clip(column.cell(one).strip())} at {table.place(one)} and "
        f"{clip(column.cell(other).strip())} at {table.place(other)}{more}. Expected the same in "
        "all rows of one id; for a label to each row, use --task tag"
    )
