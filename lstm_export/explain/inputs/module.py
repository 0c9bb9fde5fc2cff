"""A module's data: a batch of sequences, of which one is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.contract import BATCH, SEQUENCE_LENGTH, TensorSpec
from lstm_export.errors import InputError, OptionError
from lstm_export.explain.inputs.arrays import Arrays, is_lengths, read_arrays, sequence_input
from lstm_export.explain.inputs.choice import Choice
from lstm_export.explain.source import Source
from lstm_export.explain.subject import LONGEST, Feeds, Subject, others

Specs = tuple[TensorSpec, ...]


def module_subject(source: Source, data: str, choice: Choice) -> Subject:
    """One row of a batch, the first or the one at `index`, and others of it.

    An .npz file has the graph's inputs by name; an .npy file and the numeric columns of a table
    (one row per step) are for graphs with one input beside the states, which start at zero, and
    the lengths. Raises DataError, OptionError or InputError.
    """
    if choice.series is not None or choice.series_id is not None:
        raise OptionError("--series is for tables of several series: take --index for a module")
    if choice.rows is not None and choice.rows < 1:
        raise OptionError(f"--rows: expected a number of at least 1, got {choice.rows}")
    specs = source.contract.graph.inputs
    main = sequence_input(specs, source.where)
    feeds, features = read_arrays(data, specs, main)
    batch = feeds[main.name].shape[main.axes.index(BATCH)] if BATCH in main.axes else 1
    if batch > 1 and not source.rows_are_independent:
        raise InputError(
            f"{data}: the rows of a batch are not known to be independent in {source.where}; "
            "give it one sequence alone"
        )
    row = choice.index or 0
    if not -batch <= row < batch:
        raise OptionError(f"--index {row}: {data} has {batch} sequences, counted from 0")
    row %= batch
    lengths = _lengths(feeds, specs, main, batch)
    kept = min(int(lengths[row]), LONGEST if choice.rows is None else choice.rows)
    notes = []
    if kept < lengths[row] and choice.rows is None:
        notes.append(f"explained are the last {kept:,} of {lengths[row]:,} steps")
    chosen = _ends(feeds, specs, [row], int(lengths[row]), kept)
    values = _drawn(chosen[main.name], main)
    rest = [i for i in range(batch) if i != row and lengths[i] > 0]
    rest = rest[: others(len(values), len(rest))]
    batches = [chosen]
    for length in np.unique(lengths[rest]).tolist():  # sequences of one length run together
        rows = [i for i in rest if lengths[i] == length]
        batches.append(_ends(feeds, specs, rows, length, min(length, kept)))
    named = features if len(features) == values.shape[1] else _numbered(main, values.shape[1])
    return Subject(
        name=f"sequence {row} of {Path(data).name}" if batch > 1 else Path(data).name,
        batches=tuple(batches),
        sequences=1 + len(rest),
        features=named,
        values=values,
        times=[str(step) for step in range(len(values))],
        notes=tuple(notes),
    )


def _lengths(feeds: Arrays, specs: Specs, main: TensorSpec, batch: int) -> npt.NDArray[np.int64]:
    """Of each row of the batch, (batch,): as given, else as many steps as there are."""
    steps = feeds[main.name].shape[_time(main)]
    for spec in specs:
        if is_lengths(spec):
            return np.clip(feeds[spec.name], 0, steps).astype(np.int64)
    return np.full(batch, steps)


def _ends(feeds: Arrays, specs: Specs, rows: list[int], length: int, kept: int) -> Arrays:
    """The last `kept` of the first `length` steps of some rows."""
    chosen = {
        spec.name: np.take(feeds[spec.name], rows, axis=spec.axes.index(BATCH))
        if BATCH in spec.axes
        else feeds[spec.name]
        for spec in specs
    }
    return steps_of(chosen, specs, slice(length - kept, length))


def steps_of(feeds: Feeds, specs: Specs, steps: slice) -> Arrays:
    """`feeds` with `steps` of every axis of time alone, and lengths that are all of them."""
    cut = {}
    for spec in specs:
        value: npt.NDArray[Any] = feeds[spec.name]
        if SEQUENCE_LENGTH in spec.axes:
            axis = spec.axes.index(SEQUENCE_LENGTH)
            value = np.moveaxis(np.moveaxis(value, axis, 0)[steps], 0, axis)
        elif is_lengths(spec):
            value = np.full_like(value, steps.stop - steps.start)
        cut[spec.name] = value
    return cut


def _time(main: TensorSpec) -> int:
    return main.axes.index(SEQUENCE_LENGTH) if SEQUENCE_LENGTH in main.axes else 1


def _drawn(x: npt.NDArray[Any], main: TensorSpec) -> npt.NDArray[np.float64]:
    """(sequence_length, features) of a batch of one."""
    time = _time(main)
    return np.moveaxis(x, time, 0).reshape(x.shape[time], -1).astype(np.float64)


def _numbered(main: TensorSpec, count: int) -> tuple[str, ...]:
    return (main.name,) if count == 1 else tuple(f"{main.name} {i}" for i in range(count))
