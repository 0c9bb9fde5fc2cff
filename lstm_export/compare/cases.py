"""Inputs to compare forecasters on: the shapes, scales and states that a model must hold for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.compare.raw_rows import SCALES, STATES, Scale, State, initial_states, raw_rows
from lstm_export.contract import Forecast

Inputs = dict[str, npt.NDArray[Any]]

BATCHES = (1, 2, 3, 17)
LONG = 500
RAGGED = 60
"""The longest ragged case: the oracle answers each sequence alone."""
HORIZONS = (1, 2, 40)


@dataclass(frozen=True, slots=True)
class Case:
    """One shape at one scale; a streamed case also has a state, a whole one has None."""

    batch: int
    length: int
    scale: Scale
    state: State | None
    seed: int
    horizon: int | None = None
    """Steps ahead, of a case that feeds forecasts back."""
    ragged: bool = False
    """Whether the sequences of the batch end at different steps."""

    @property
    def name(self) -> str:
        """For example `batch3-length500-large-random`."""
        parts = [f"batch{self.batch}", f"length{self.length}"]
        parts += [f"horizon{self.horizon}"] if self.horizon else []
        parts += ["ragged"] if self.ragged else []
        return "-".join([*parts, self.scale, *([self.state] if self.state else [])])


def shape_matrix(terms: Forecast) -> tuple[Case, ...]:
    """The cases of `model.onnx`: batch × length × scale.

    Lengths are the shortest that the model takes, one window of the trained context, one row more,
    and 500, in raw rows.
    """
    window = terms.window
    return _matrix(_lengths(window.shortest, window.history), (None,))


def stream_matrix(terms: Forecast) -> tuple[Case, ...]:
    """The cases of `stream.onnx`: batch × length × scale × state; the shortest length is 1."""
    return _matrix(_lengths(1, terms.window.context_length), STATES)


def feedback_matrix(terms: Forecast) -> tuple[Case, ...]:
    """The cases of `forecast.onnx`: horizon × batch × length × scale."""
    window = terms.window
    lengths = (window.shortest, window.history, window.history + 1)
    grid = [
        Case(*shape, horizon=horizon, seed=0)
        for horizon in HORIZONS
        for shape in [(b, n, s, None) for s in SCALES for n in sorted({*lengths}) for b in BATCHES]
    ]
    return tuple(replace(case, seed=seed) for seed, case in enumerate(grid))


def ragged_matrix(terms: Forecast) -> tuple[Case, ...]:
    """The cases of `ragged.onnx`: batch × length × scale."""
    window = terms.window
    cases = _matrix(_lengths(window.shortest, window.history, long=RAGGED), (None,))
    return tuple(replace(case, ragged=True) for case in cases)


def case_inputs(terms: Forecast, case: Case) -> Inputs:
    """The inputs of one case: for `forecast.onnx` where it has a horizon, for `ragged.onnx` where
    it is ragged, for `stream.onnx` where it has a state, else for `model.onnx`."""
    shape = (case.batch, case.length, case.scale)
    if case.horizon is not None:
        return feedback_inputs(terms, *shape, case.horizon, case.seed)
    if case.ragged:
        return ragged_inputs(terms, *shape, case.seed)
    if case.state is None:
        return model_inputs(terms, *shape, case.seed)
    return stream_inputs(terms, *shape, case.state, case.seed)


def model_inputs(terms: Forecast, batch: int, length: int, scale: Scale, seed: int) -> Inputs:
    """`x`, float32 (batch, length, features), in raw units."""
    return {"x": _series(terms, batch, length, scale, np.random.default_rng(seed))}


def feedback_inputs(
    terms: Forecast, batch: int, length: int, scale: Scale, horizon: int, seed: int
) -> Inputs:
    """`x`, `horizon`, and where features are known beforehand `future`, which goes on from x."""
    rows = _series(terms, batch, length + horizon, scale, np.random.default_rng(seed))
    inputs: Inputs = {"x": rows[:, :length], "horizon": np.array(horizon, np.int64)}
    if terms.known:
        names = [column.name for column in terms.features]
        places = [names.index(column.name) for column in terms.known]
        # The last row is never needed: half of the cases go without it.
        inputs["future"] = rows[:, length : length + horizon - seed % 2][:, :, places]
    return {name: np.array(value, order="C") for name, value in inputs.items()}


def ragged_inputs(terms: Forecast, batch: int, length: int, scale: Scale, seed: int) -> Inputs:
    """`x` and `lengths`, int64 (batch,), one of them the whole length.

    In half of the cases the padding is NaN, in the others it looks like data.
    """
    rng = np.random.default_rng(seed)
    rows = _series(terms, batch, length, scale, rng)
    lengths = rng.integers(terms.window.shortest, length + 1, size=batch)
    lengths[rng.integers(batch)] = length
    if seed % 2:
        rows[np.arange(length) >= lengths[:, np.newaxis]] = np.nan
    return {"x": rows, "lengths": lengths}


def stream_inputs(
    terms: Forecast, batch: int, length: int, scale: Scale, state: State, seed: int
) -> Inputs:
    """`x` with the state that `stream.onnx` takes, in its order.

    `initial_rows` are always the K raw rows before x: zeros would be another series.
    """
    rng = np.random.default_rng(seed)
    lag = terms.window.difference
    rows = _series(terms, batch, lag + length, scale, rng)
    inputs: Inputs = {"x": rows[:, lag:], **initial_states(terms.recurrent, batch, state, rng)}
    if lag:
        inputs["initial_rows"] = rows[:, :lag]
    return {name: np.ascontiguousarray(value) for name, value in inputs.items()}


def _series(
    terms: Forecast, batch: int, length: int, scale: Scale, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Rows of the features, as the training data had them."""
    lag = terms.window.difference
    return raw_rows(terms.features, terms.input_scaling, (batch, length), scale, rng, lag=lag)


def _lengths(shortest: int, context: int, long: int = LONG) -> tuple[int, ...]:
    wanted = (shortest, context, context + 1, long)
    return tuple(sorted({length for length in wanted if length >= shortest}))


def _matrix(lengths: tuple[int, ...], states: tuple[State | None, ...]) -> tuple[Case, ...]:
    grid = [(b, n, s, z) for z in states for s in SCALES for n in lengths for b in BATCHES]
    return tuple(Case(*shape, seed=seed) for seed, shape in enumerate(grid))
