"""Trials against a run: its torch module in float32 and the oracle, over the shape matrix."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.bundle.layout import LAYOUT
from lstm_export.compare import cases as forecasts
from lstm_export.compare import sequence_cases as sequences
from lstm_export.compare.cases import Case, Inputs
from lstm_export.contract import BATCH, Forecast, GraphSpec, Sequences, TensorSpec
from lstm_export.parity.rounding import MovedWeights
from lstm_export.parity.runtimes.registry import Runner, Tensors
from lstm_export.parity.trial import Trial

STILL = 0.05
"""The least magnitude of a state by which a runtime is judged."""
SEEDS = 8
"""Inputs to choose from for each case."""
_GATED = ("final_h", "final_c")
_CHUNKED_BATCH = 3
_CHUNKS = (1, 1, 2, 3, 5, 8)
_AT_ONCE = 1 << 23
"""Numbers in the oracle's largest array: 64 MB."""


def live_trials(
    terms: Forecast | Sequences,
    graph: str,
    spec: GraphSpec,
    torch: Runner,
    oracle: Runner,
    moved: MovedWeights,
) -> Iterator[Trial]:
    """Every case of the matrix for one graph; for a stream, some of them in chunks as well."""
    stream = graph == LAYOUT.stream
    cases, inputs_of, middle = _asked(terms, graph)
    for (length, *_), group in itertools.groupby(sorted(cases, key=_shape), key=_shape):
        for together in _portions(list(group), length * _width(terms)):
            inputs = [inputs_of(case) for case in together]
            # The rows of a batch do not touch each other: the oracle answers many cases at once.
            references = _split(oracle(_join(inputs, spec.inputs)), spec.outputs, together)
            for case, first, known in zip(together, inputs, references, strict=True):
                given, reference = _lively(case, first, known, inputs_of, oracle)
                trial = Trial("live", graph, case.name, given, reference, torch(given), moved=moved)
                yield trial
                if stream and case.batch == _CHUNKED_BATCH and length == middle:
                    yield replace(trial, check="chunked", chunks=chunk_lengths(length))


def chunk_lengths(length: int) -> tuple[int, ...]:
    """`length` steps in pieces of 1, 1, 2, 3, 5, 8, 1, … and a rest."""
    pieces: list[int] = []
    for size in itertools.cycle(_CHUNKS):
        rest = length - sum(pieces)
        if rest <= 0:
            return tuple(pieces)
        pieces.append(min(size, rest))
    raise AssertionError("itertools.cycle does not end")


_FORECASTS = {
    LAYOUT.model: forecasts.shape_matrix,
    LAYOUT.stream: forecasts.stream_matrix,
    LAYOUT.forecast: forecasts.feedback_matrix,
    LAYOUT.ragged: forecasts.ragged_matrix,
}
_SEQUENCES = {
    LAYOUT.model: sequences.shape_matrix,
    LAYOUT.stream: sequences.stream_matrix,
    LAYOUT.ragged: sequences.ragged_matrix,
}


def _asked(
    terms: Forecast | Sequences, graph: str
) -> tuple[Sequence[Case], Callable[[Case], Inputs], int]:
    """The cases of one graph, their inputs, and the length of those that also go in chunks."""
    if isinstance(terms, Forecast):
        middle = terms.window.context_length + 1
        return _FORECASTS[graph](terms), partial(forecasts.case_inputs, terms), middle
    cases = _SEQUENCES[graph](terms)
    return cases, partial(sequences.case_inputs, terms), sequences.LENGTHS[-1]


def _lively(
    case: Case, first: Inputs, known: Tensors, inputs_of: Callable[[Case], Inputs], oracle: Runner
) -> tuple[Inputs, Tensors]:
    """`case` on the inputs of the first seed that leaves a state of STILL or more, else of the one
    that leaves the most.

    Where extreme inputs close every gate, a state is what is left of a sigmoid near 0: runtimes
    compute that to some 5e-8 of 1, not of itself, and nothing is learnt of a state of 1e-7.
    """
    best, most = (first, known), _liveliness(known)
    for turn in range(1, SEEDS):
        if most >= STILL:
            break
        # Whether padding is NaN goes by the seed being odd.
        given = inputs_of(replace(case, seed=case.seed + 100 * turn))
        reference = oracle(given)
        if (one := _liveliness(reference)) > most:
            best, most = (given, reference), one
    return best


def _liveliness(outputs: Tensors) -> float:
    states = [value for name, value in outputs.items() if name in _GATED]
    return min((float(np.abs(value).max(initial=0.0)) for value in states), default=np.inf)


def _shape(case: Case) -> tuple[int, ...]:
    """What cases that are answered together have in common, the length first."""
    future = (case.horizon or 0) - case.seed % 2
    return case.length, case.horizon or 0, future


def _width(terms: Forecast | Sequences) -> int:
    """Numbers that the oracle holds per row and step, more or less."""
    return terms.recurrent.hidden_size * terms.recurrent.num_directions


def _portions(cases: Sequence[Case], numbers_per_row: int) -> Iterator[list[Case]]:
    """`cases` in order, as many at a time as fit into memory without being noticed."""
    portion: list[Case] = []
    for case in cases:
        rows = sum(one.batch for one in portion) + case.batch
        if portion and rows * numbers_per_row > _AT_ONCE:
            yield portion
            portion = []
        portion.append(case)
    yield portion


def _join(inputs: Sequence[Tensors], specs: Sequence[TensorSpec]) -> dict[str, npt.NDArray[Any]]:
    return {
        spec.name: np.concatenate(
            [given[spec.name] for given in inputs], axis=spec.axes.index(BATCH)
        )
        if BATCH in spec.axes
        else inputs[0][spec.name]
        for spec in specs
    }


def _split(
    outputs: Tensors, specs: Sequence[TensorSpec], cases: Sequence[Case]
) -> list[dict[str, npt.NDArray[Any]]]:
    ends = np.cumsum([case.batch for case in cases])[:-1]
    parts = {
        spec.name: np.split(outputs[spec.name], ends, axis=spec.axes.index(BATCH)) for spec in specs
    }
    return [{name: pieces[i] for name, pieces in parts.items()} for i in range(len(cases))]
