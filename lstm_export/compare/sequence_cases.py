"""Inputs to compare models of sequences on: batches, lengths, scales, states, ragged batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.compare.cases import BATCHES, LONG, RAGGED, Case, Inputs
from lstm_export.compare.raw_rows import SCALES, STATES, Scale, State, initial_states, raw_rows
from lstm_export.contract import Sequences

LENGTHS = (1, 12, 13)
"""Steps of the shorter cases: nothing in the terms says how long a sequence usually is."""


def shape_matrix(terms: Sequences) -> tuple[Case, ...]:
    """The cases of `model.onnx`: batch × length × scale."""
    return _matrix(terms, (*LENGTHS, LONG), (None,))


def stream_matrix(terms: Sequences) -> tuple[Case, ...]:
    """The cases of `stream.onnx`: batch × length × scale × state."""
    return _matrix(terms, (*LENGTHS, LONG), STATES)


def ragged_matrix(terms: Sequences) -> tuple[Case, ...]:
    """The cases of `ragged.onnx`: batch × length × scale."""
    cases = _matrix(terms, (*LENGTHS, RAGGED), (None,))
    return tuple(replace(case, ragged=True) for case in cases)


def case_inputs(terms: Sequences, case: Case) -> Inputs:
    """The inputs of one case: for `ragged.onnx` where it is ragged, for `stream.onnx` where it has
    a state, else for `model.onnx`.

    `x` holds raw rows, or ids of which each is as likely. The padding of every other ragged case is
    NaN where rows are read.
    """
    rng = np.random.default_rng(case.seed)
    shape = case.batch, case.length
    x: npt.NDArray[Any]
    if terms.vocabulary is None:
        x = raw_rows(terms.features, terms.input_scaling, shape, case.scale, rng)
    else:
        x = rng.integers(terms.vocabulary.size, size=shape)
    if case.state is not None:
        return {"x": x, **initial_states(terms.recurrent, case.batch, case.state, rng)}
    if not case.ragged:
        return {"x": x}
    lengths = rng.integers(1, case.length + 1, size=case.batch)
    lengths[rng.integers(case.batch)] = case.length
    if case.seed % 2 and terms.vocabulary is None:
        x[np.arange(case.length) >= lengths[:, np.newaxis]] = np.nan
    return {"x": x, "lengths": lengths}


def scales(terms: Sequences) -> tuple[Scale, ...]:
    """How far apart the values lie that a model is tried on; ids have no scale."""
    return tuple(SCALES) if terms.vocabulary is None else ("typical",)


def _matrix(
    terms: Sequences, lengths: tuple[int, ...], states: tuple[State | None, ...]
) -> tuple[Case, ...]:
    grid = [(b, n, s, z) for z in states for s in scales(terms) for n in lengths for b in BATCHES]
    return tuple(Case(*shape, seed=seed) for seed, shape in enumerate(grid))
