"""Tables of texts: a text per row."""

from __future__ import annotations

import numpy as np

from lstm_export.data.columns import existing
from lstm_export.data.places import counted, listed, places
from lstm_export.data.sequences.answers import Role, Task, cells, read_labels, read_numbers
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.table import Table
from lstm_export.data.vocabulary import words
from lstm_export.errors import DataError


def read_texts(
    table: Table, task: Task, answer: tuple[str, ...], text: str, role: Role
) -> SequenceSet:
    """A text per row, as it is written in the column `text`.

    To tag, the answer has as many tags, with spaces between them, as the text has words
    (`vocabulary.words`). Raises DataError for a text without a character, and for tags that are
    not as many as the words.
    """
    column = table.columns[existing(table, [text], "text")[0]]
    if text in answer:
        raise DataError(f"the column {text!r} cannot be the text and the target at once")
    texts = cells(column)
    blank = np.array([row for row, one in enumerate(texts) if not one.strip()], dtype=np.int64)
    if len(blank):
        raise DataError(
            f"{table.name}: {counted(len(blank), 'text is', 'texts are')} empty in the column "
            f"{text!r}: {places(table, blank)}. Leave these rows out of the file"
        )
    labels, numbers, tags_of = None, None, np.zeros(table.rows, dtype=np.int64)
    if answer and task == "regress":
        numbers = read_numbers(table, answer, role)
    elif answer:
        labels = read_labels(table, answer[0], role)
    if labels is not None and task == "tag":
        tags = [label.split() for label in labels]
        _check_tags(table, text, answer[0], texts, tags)
        tags_of = np.array([len(row) for row in tags], dtype=np.int64)
        labels = [tag for row in tags for tag in row]
    unused = [name for name in table.columns if name not in {text, *answer}]
    return SequenceSet(
        names=tuple(table.place(row) for row in range(table.rows)),
        values=None,
        texts=tuple(texts),
        starts=np.concatenate([[0], np.cumsum(tags_of)]).astype(np.int64),
        features=(),
        answer=answer if labels is not None or numbers is not None else (),
        labels=None if labels is None else tuple(labels),
        numbers=numbers,
        notes=(f"columns not used: {listed(unused)}",) if unused and role == "train" else (),
    )


def _check_tags(
    table: Table, text: str, target: str, texts: list[str], tags: list[list[str]]
) -> None:
    for row, (one, row_tags) in enumerate(zip(texts, tags, strict=True)):
        found = words(one)
        if len(found) != len(row_tags):
            raise DataError(
                f"{table.name}, {table.place(row)}: the text in {text!r} has "
                f"{counted(len(found), 'word', 'words')} ({listed(found, 8)}) but {target!r} has "
                f"{counted(len(row_tags), 'tag', 'tags')}: expected one for each word and for each "
                "punctuation mark, with spaces between them"
            )
