"""Trials against a run: its torch module in float32 and the oracle, over the shape matrix."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.bundle.layout import LAYOUT
from lstm_export.compare.cases import Case, case_inputs, shape_matrix, stream_matrix
from lstm_export.contract import BATCH, Forecast, GraphSpec, TensorSpec
from lstm_export.parity.runtimes.registry import Runner, Tensors
from lstm_export.parity.trial import Trial

_CHUNKED_BATCH = 3
_CHUNKS = (1, 1, 2, 3, 5, 8)


def live_trials(
    terms: Forecast, graph: str, spec: GraphSpec, torch: Runner, oracle: Runner
) -> Iterator[Trial]:
    """Every case of the matrix for one graph; for a stream, some of them in chunks as well."""
    stream = graph == LAYOUT.stream
    cases = stream_matrix(terms) if stream else shape_matrix(terms)
    middle = terms.window.context_length + 1
    for length, group in itertools.groupby(sorted(cases, key=_length), key=_length):
        same_length = list(group)
        inputs = [case_inputs(terms, case) for case in same_length]
        # The rows of a batch do not touch each other, so the oracle answers all of them at once.
        references = _split(oracle(_join(inputs, spec.inputs)), spec.outputs, same_length)
        for case, given, reference in zip(same_length, inputs, references, strict=True):
            trial = Trial("live", graph, case.name, given, reference, torch(given))
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


def _length(case: Case) -> int:
    return case.length


def _join(inputs: Sequence[Tensors], specs: Sequence[TensorSpec]) -> dict[str, npt.NDArray[Any]]:
    return {
        spec.name: np.concatenate(
            [given[spec.name] for given in inputs], axis=spec.axes.index(BATCH)
        )
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
