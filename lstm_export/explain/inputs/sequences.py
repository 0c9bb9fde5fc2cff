"""Data of a classifier, a regressor or a tagger: whole sequences of numbers, or texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Sequences
from lstm_export.data.embedded import known
from lstm_export.data.load import load_table
from lstm_export.data.sequences.read import read_sequences
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.vocabulary import encode
from lstm_export.errors import DataError, OptionError
from lstm_export.explain.inputs.choice import Choice
from lstm_export.explain.source import Source
from lstm_export.explain.subject import LONGEST, Subject, others


def sequences_subject(source: Source, data: str, choice: Choice) -> Subject:
    """The first sequence of a table, or the one chosen, and others from all over it.

    The table is read as for training, its labels where it has any; an embedded set's own columns
    tell its sequences apart. Raises DataError as reading it does, and for a sequence without steps,
    OptionError for a sequence that is not there.
    """
    contract = source.contract
    terms = contract.sequences
    assert terms is not None
    assert contract.task in ("classify", "regress", "tag")
    series_id = choice.series_id or _own_column(data, "series_id")
    text = choice.text or _own_column(data, "text")
    if terms.vocabulary is not None and text is None:
        raise OptionError(f"{source.where} reads texts: name their column with --text")
    found = read_sequences(
        load_table(data),
        contract.task,
        target=terms.answer,
        features=[c.name for c in terms.features] if series_id else None,
        series_id=series_id,
        text=text,
        missing=choice.missing,
        role="predict",
    )
    place = _place(found, choice)
    rows = LONGEST if choice.rows is None else choice.rows
    if rows < 1:
        raise OptionError(f"--rows: expected a number of at least 1, got {rows}")
    whole = _steps(found, terms, place)
    if not len(whole):
        raise DataError(f"the sequence {found.names[place]!r} has no steps to explain")
    chosen = whole[-rows:]
    notes = list(found.notes)
    if len(chosen) < len(whole) and choice.rows is None:
        notes.append(f"explained are the last {len(chosen):,} of {len(whole):,} steps")
    rest = _rest(found, terms, place, len(chosen))
    symbols = None
    if terms.vocabulary is not None:
        names = ("?", *terms.vocabulary.symbols)
        symbols = tuple(names[i] for i in chosen.tolist())
    return Subject(
        name=_named(found, place),
        batches=({"x": chosen[np.newaxis]}, *({"x": batch} for batch in rest)),
        sequences=1 + sum(map(len, rest)),
        features=("symbol",) if symbols else tuple(column.name for column in terms.features),
        values=chosen.reshape(len(chosen), -1).astype(np.float64),
        times=[str(step) for step in range(len(whole) - len(chosen), len(whole))],
        targets=terms.classes or tuple(column.name for column in terms.targets),
        symbols=symbols,
        notes=tuple(notes),
    )


def _own_column(data: str, option: str) -> str | None:
    """The column that an embedded data set has for `option`."""
    embedded = known(data)
    column = embedded.options.get(option) if embedded else None
    return column if isinstance(column, str) else None


def _place(found: SequenceSet, choice: Choice) -> int:
    if choice.series is not None and choice.index is not None:
        raise OptionError("--series and --index both choose a sequence: give one")
    if choice.series is not None:
        if choice.series not in found.names:
            some = ", ".join(found.names[:8]) + (", …" if len(found) > 8 else "")
            raise OptionError(f"--series {choice.series!r} is not in the table; it has {some}")
        return found.names.index(choice.series)
    index = choice.index or 0
    if not -len(found) <= index < len(found):
        raise OptionError(f"--index {index}: there are {len(found)} sequences, counted from 0")
    return index % len(found)


def _steps(found: SequenceSet, terms: Sequences, place: int) -> npt.NDArray[Any]:
    """x of one sequence: ids (sequence_length,), or rows (sequence_length, features)."""
    if found.texts is not None and terms.vocabulary is not None:
        return encode(terms.vocabulary, found.texts[place])
    assert found.values is not None
    if found.values.shape[1] != len(terms.features):
        raise DataError(
            f"the model reads {len(terms.features)} features "
            f"({', '.join(column.name for column in terms.features)}), the table has "
            f"{found.values.shape[1]}: --series-id names the column of a long table"
        )
    return found.values[found.starts[place] : found.starts[place + 1]].astype(np.float32)


def _rest(found: SequenceSet, terms: Sequences, place: int, longest: int) -> list[npt.NDArray[Any]]:
    """Other sequences, at most the last `longest` steps of each; those of one length together."""
    rest = np.delete(np.arange(len(found)), place)
    count = others(longest, len(rest))
    picked = rest[np.linspace(0, len(rest) - 1, count).astype(np.int64)] if count else rest[:0]
    by_length: dict[int, list[npt.NDArray[Any]]] = {}
    for i in picked.tolist():
        steps = _steps(found, terms, i)[-longest:]
        by_length.setdefault(len(steps), []).append(steps)
    return [np.stack(group) for length, group in sorted(by_length.items()) if length]


def _named(found: SequenceSet, place: int) -> str:
    name = f"the sequence {found.names[place]}"
    if found.labels is not None and not found.tagged:
        return f"{name}, labelled {found.labels[place]}"
    if found.numbers is not None:
        truth = (f"{value:.4g}" for value in found.numbers[place].tolist())
        return f"{name}, whose answer is {', '.join(truth)}"
    return name
