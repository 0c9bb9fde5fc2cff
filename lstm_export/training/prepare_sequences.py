"""From options to what a model of sequences is trained on: sequences, parts, scaling, terms."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.contract import (
    Column,
    DataOrigin,
    Recurrent,
    Scaling,
    SequenceColumns,
    Sequences,
    Vocabulary,
)
from lstm_export.data.embedded import known
from lstm_export.data.load import load_table
from lstm_export.data.scaling import apply, fit_scaling
from lstm_export.data.sequences.answers import Task
from lstm_export.data.sequences.read import read_sequences
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.split import TEST, TRAIN, VALIDATION
from lstm_export.data.table import Table
from lstm_export.data.vocabulary import encode, fit_vocabulary
from lstm_export.errors import DataError, OptionError
from lstm_export.training.options import TrainOptions
from lstm_export.training.sequence_parts import divided

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Sequences of one part as a model reads them."""

    source: SequenceSet
    steps: npt.NDArray[Any]
    """Scaled rows, float32 (rows, features), or ids, int64 (rows,)."""
    starts: Indices
    """(sequences + 1,)."""
    truth: npt.NDArray[Any]
    """Scaled numbers, float32 (sequences, targets), or classes, int64, of sequences or steps."""

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class PreparedSequences:
    """Everything about a run that is known before its first step."""

    options: TrainOptions
    """As given, with what was left open decided."""
    origin: DataOrigin
    terms: Sequences
    train: Part
    validation: Part
    test: Part
    class_weights: tuple[float, ...] | None
    notes: tuple[str, ...]


def prepare_sequences(options: TrainOptions) -> PreparedSequences:
    """Reads the data; scaling, vocabulary and classes are those of its training part.

    Raises DataError for data that cannot be used, OptionError for options that do not suit it.
    """
    table, tested = load_table(options.data), _test_table(options)
    whole = _read(table, options)
    notes = list(whole.notes)
    tests = None if tested is None else _read(tested, options, alike=whole)
    sets = divided(whole, tests, options, notes)
    if not options.validation:
        notes.append("no validation part: all epochs are trained and the last weights are kept")
    terms = _terms(options, sets[TRAIN])
    train, validation, test = (_part(terms, sets[kind]) for kind in (TRAIN, VALIDATION, TEST))
    features = whole.features if options.series_id else options.features
    resolved = dataclasses.replace(options, target=whole.answer, features=features)
    return PreparedSequences(
        resolved,
        _origin(table, tested),
        terms,
        train,
        validation,
        test,
        _class_weights(options, terms, train),
        tuple(dict.fromkeys(notes)),
    )


def _test_table(options: TrainOptions) -> Table | None:
    if options.test_data is not None:
        return load_table(options.test_data)
    embedded = known(options.data)
    if embedded is None or embedded.test is None:
        return None
    return load_table(f"{options.data}:test")


def _read(table: Table, options: TrainOptions, alike: SequenceSet | None = None) -> SequenceSet:
    """The sequences of a table; those of a test table with the columns of `alike`."""
    task: Task = options.task  # type: ignore[assignment]  # forecasters have another way
    return read_sequences(
        table,
        task,
        target=options.target,
        features=alike.features if alike and options.series_id else options.features,
        time=options.time,
        series_id=options.series_id,
        text=options.text,
        missing=options.missing,
        role="train" if alike is None else "test",
    )


def _origin(table: Table, tested: Table | None) -> DataOrigin:
    """One sha256 for both files: a resumed run must find both unchanged."""
    digest, rows = table.sha256, table.rows
    if tested is not None:
        digest = hashlib.sha256(f"{digest} {tested.sha256}".encode()).hexdigest()
        rows += tested.rows
    return DataOrigin(Path(table.name).name, digest, rows)


def _terms(options: TrainOptions, train: SequenceSet) -> Sequences:
    vocabulary = None if train.texts is None else _vocabulary(options, train.texts)
    columns: tuple[Column, ...] = ()
    scaling = Scaling("none", (), ())
    if train.values is not None:
        columns = _columns(train.features, train.values, options)
        scaling = fit_scaling(train.values, options.scaler, train.features)
    targets: tuple[Column, ...] = ()
    target_scaling = None
    if train.numbers is not None:
        targets = _columns(train.answer, train.numbers, options)
        target_scaling = fit_scaling(train.numbers, options.scaler, train.answer)
    return Sequences(
        answer=train.answer,
        features=columns,
        input_scaling=scaling,
        vocabulary=vocabulary,
        embedding_size=options.embedding_size if vocabulary else 0,
        recurrent=Recurrent(
            cell=options.recurrent_cell,
            input_size=options.embedding_size if vocabulary else len(columns),
            hidden_size=options.hidden_size,
            num_layers=options.num_layers,
            bidirectional=options.bidirectional,
            proj_size=options.proj_size,
        ),
        pooling=None if options.task == "tag" else options.pooling,
        classes=_classes(train.labels),
        targets=targets,
        target_scaling=target_scaling,
        source=SequenceColumns(
            series_id=options.series_id,
            time=train.time,
            text=options.text,
            steps=() if options.series_id or options.text else _named(options.features),
        ),
    )


def _named(features: tuple[str, ...]) -> tuple[str, ...]:
    return () if features == ("all",) else features


def _vocabulary(options: TrainOptions, texts: tuple[str, ...]) -> Vocabulary:
    return fit_vocabulary(
        texts, options.level, lowercase=options.lowercase, most=options.vocabulary_size
    )


def _classes(labels: tuple[str, ...] | None) -> tuple[str, ...]:
    """The labels in the order of people: numbers by their value, then the others by letters."""

    def place(label: str) -> tuple[bool, float, str]:
        try:
            return (False, float(label), label)
        except ValueError:
            return (True, 0.0, label)

    return tuple(sorted(set(labels or ()), key=place))


def _part(terms: Sequences, source: SequenceSet) -> Part:
    if source.texts is not None:
        assert terms.vocabulary is not None
        pieces = [encode(terms.vocabulary, text) for text in source.texts]
        steps: npt.NDArray[Any] = np.concatenate([np.zeros(0, np.int64), *pieces])
        starts = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    else:
        assert source.values is not None
        steps = apply(source.values, terms.input_scaling).astype(np.float32)
        starts = source.starts
    if source.labels is not None:
        number = {name: i for i, name in enumerate(terms.classes)}
        truth: npt.NDArray[Any] = np.array([number[label] for label in source.labels], np.int64)
        if terms.pooling is None and len(truth) != len(steps):
            raise DataError(f"{len(truth)} labels for {len(steps)} steps: expected one for each")
    else:
        assert source.numbers is not None
        assert terms.target_scaling is not None
        truth = apply(source.numbers, terms.target_scaling).astype(np.float32)
    return Part(source, steps, starts, truth)


def _class_weights(
    options: TrainOptions, terms: Sequences, train: Part
) -> tuple[float, ...] | None:
    """n / (classes · n_class), which is 1 on average over the n labels."""
    if options.class_weights == "none":
        return None
    counts = np.bincount(train.truth, minlength=len(terms.classes))
    weights: list[float] = (len(train.truth) / (len(counts) * counts)).tolist()
    return tuple(weights)


def _columns(
    names: tuple[str, ...], values: npt.NDArray[np.float64], options: TrainOptions
) -> tuple[Column, ...]:
    if unknown := [name for name in options.unit if name not in (*names, *options.target)]:
        raise OptionError(f"--unit: {unknown[0]!r} is not used; used are {', '.join(names)}")
    low, high = values.min(axis=0).tolist(), values.max(axis=0).tolist()
    return tuple(
        Column(name, options.unit.get(name, ""), minimum, maximum)
        for name, minimum, maximum in zip(names, low, high, strict=True)
    )
