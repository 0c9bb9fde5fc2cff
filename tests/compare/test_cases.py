"""The inputs of the parity matrix: deterministic, finite, and like the training data."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.compare.cases import (
    BATCHES,
    HORIZONS,
    case_inputs,
    feedback_inputs,
    feedback_matrix,
    model_inputs,
    ragged_matrix,
    shape_matrix,
    stream_inputs,
    stream_matrix,
)
from lstm_export.compare.raw_rows import SCALES, STATES
from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window

TERMS = Forecast(
    features=(Column("level", "ppm", 300.0, 420.0), Column("rain", "mm", 0.0, 9.0)),
    targets=(Column("level", "ppm", 300.0, 420.0),),
    window=Window(context_length=24, horizon=3, difference=12),
    input_scaling=Scaling("standard", (1.5, 0.0), (0.5, 4.0)),
    target_scaling=Scaling("standard", (1.5,), (0.5,)),
    recurrent=Recurrent("lstm", 2, 8, 2, proj_size=4),
)
PLAIN = replace(TERMS, window=Window(24, 3), input_scaling=Scaling("minmax", (300.0, 0), (120, 9)))


def test_the_matrix_is_every_batch_length_and_scale() -> None:
    cases = shape_matrix(TERMS)
    assert len({case.name for case in cases}) == len(cases) == 4 * 4 * 3
    assert {case.batch for case in cases} == set(BATCHES) == {1, 2, 3, 17}
    assert {case.length for case in cases} == {13, 36, 37, 500}
    assert {case.scale for case in cases} == set(SCALES)
    streamed = stream_matrix(TERMS)
    assert len(streamed) == 4 * 4 * 3 * 2
    assert {case.length for case in streamed} == {1, 24, 25, 500}
    assert {case.state for case in streamed} == set(STATES)
    assert len({case.seed for case in streamed}) == len(streamed)


def test_lengths_that_coincide_are_run_once() -> None:
    short = replace(TERMS, window=Window(context_length=1, horizon=1))
    assert {case.length for case in shape_matrix(short)} == {1, 2, 500}


@pytest.mark.parametrize("terms", [TERMS, PLAIN])
def test_inputs_have_the_contracts_shapes(terms: Forecast) -> None:
    for case in stream_matrix(terms):
        inputs = case_inputs(terms, case)
        lag = terms.window.difference
        names = ["x", "initial_h", "initial_c"] + (["initial_rows"] if lag else [])
        assert list(inputs) == names
        assert inputs["x"].shape == (case.batch, case.length, 2)
        assert inputs["initial_h"].shape == (2, case.batch, 4)
        assert inputs["initial_c"].shape == (2, case.batch, 8)
        assert bool(inputs["initial_h"].any()) == (case.state == "random")
        assert np.abs(inputs["initial_h"]).max() <= 1
        if lag:
            assert inputs["initial_rows"].shape == (case.batch, lag, 2)
    for value in inputs.values():
        assert value.dtype == np.float32
        assert value.flags.c_contiguous


def test_a_gru_has_no_cell_state() -> None:
    gru = replace(TERMS, recurrent=Recurrent("gru", 2, 8))
    assert list(stream_inputs(gru, 1, 2, "typical", "zero", 0)) == [
        "x",
        "initial_h",
        "initial_rows",
    ]


def test_typical_values_look_like_the_training_data() -> None:
    x = model_inputs(PLAIN, 17, 500, "typical", 0)["x"]
    low, high = x.min(axis=(0, 1)), x.max(axis=(0, 1))
    np.testing.assert_allclose(low, [300, 0], atol=1)
    np.testing.assert_allclose(high, [420, 9], atol=1)
    y = model_inputs(TERMS, 17, 500, "typical", 0)["x"].astype(np.float64)
    steps = y[:, 12:] - y[:, :-12]
    np.testing.assert_allclose(steps.mean(axis=(0, 1)), [1.5, 0], atol=0.2)
    assert np.abs(steps - [1.5, 0]).max(axis=(0, 1)) == pytest.approx([0.5, 4.0], rel=0.01)


@pytest.mark.parametrize("terms", [TERMS, PLAIN])
def test_scales_set_what_the_layers_see(terms: Forecast) -> None:
    lag = terms.window.difference
    offset, scale = (np.array(v) for v in (terms.input_scaling.offset, terms.input_scaling.scale))
    for name, factor in (("tiny", 1e-3), ("large", 30.0)):
        x = model_inputs(terms, 3, 200, name, 0)["x"].astype(np.float64)
        z = ((x[:, lag:] - x[:, :-lag] if lag else x) - offset) / scale
        assert np.abs(z).max() == pytest.approx(factor, rel=0.2)


def test_the_values_are_these_on_every_machine() -> None:
    digest = hashlib.sha256()
    for terms in (TERMS, PLAIN):
        for case in (*shape_matrix(terms)[::7], *stream_matrix(terms)[::7]):
            for value in case_inputs(terms, case).values():
                digest.update(value.astype("<f4").tobytes())
    assert digest.hexdigest() == "c051d270a72517c0e717f2b9ace9f23eff711dacbc97f663deeab1d7bdc1fb5f"


@settings(max_examples=50)
@given(
    minimum=st.floats(allow_nan=False, allow_infinity=False),
    maximum=st.floats(allow_nan=False, allow_infinity=False),
    offset=st.floats(-(2.0**127), 2.0**127),
    scale=st.floats(2.0**-126, 2.0**127),
    lag=st.integers(0, 3),
    kind=st.sampled_from(["standard", "minmax", "none"]),
    size=st.sampled_from(["tiny", "typical", "large"]),
)
def test_extreme_terms_still_give_finite_inputs(
    minimum: float, maximum: float, offset: float, scale: float, lag: int, kind: str, size: str
) -> None:
    column = (Column("v", "", minimum, maximum),)
    scaling = Scaling(kind, (offset,), (scale,))
    terms = Forecast(column, column, Window(5, 1, lag), scaling, scaling, Recurrent("rnn", 1, 2))
    for value in stream_inputs(terms, 2, 30, size, "random", 0).values():
        assert np.isfinite(value).all()


def test_what_feeds_back_goes_on_from_its_history() -> None:
    terms = replace(TERMS, window=replace(TERMS.window, horizon=1))
    cases = feedback_matrix(terms)
    assert len({case.name for case in cases}) == len(cases) == 3 * 3 * 4 * 3
    assert {case.horizon for case in cases} == set(HORIZONS)
    rows = set()
    for case in cases:
        inputs = case_inputs(terms, case)
        assert list(inputs) == ["x", "horizon", "future"]
        assert inputs["x"].shape == (case.batch, case.length, 2)
        assert (inputs["horizon"].shape, inputs["horizon"].dtype) == ((), np.int64)
        rows.add(inputs["future"].shape[1] - (case.horizon or 0))
    assert rows == {-1, 0}
    whole = model_inputs(terms, 2, 40 + 6, "typical", seed=4)["x"]
    inputs = feedback_inputs(terms, 2, 40, "typical", 6, seed=4)
    np.testing.assert_array_equal(inputs["x"], whole[:, :40])
    np.testing.assert_array_equal(inputs["future"], whole[:, 40:, 1:])
    scaling = Scaling("standard", (1.5,), (0.5,))
    alone = replace(terms, features=terms.features[:1], input_scaling=scaling)
    assert list(feedback_inputs(alone, 2, 40, "typical", 6, seed=4)) == ["x", "horizon"]


def test_ragged_cases_end_at_different_steps() -> None:
    terms = replace(TERMS, recurrent=replace(TERMS.recurrent, bidirectional=True))
    cases = ragged_matrix(terms)
    assert len({case.name for case in cases}) == len(cases) == 4 * 4 * 3
    padding = set()
    for case in cases:
        inputs = case_inputs(terms, case)
        lengths = inputs["lengths"]
        assert (lengths.shape, lengths.dtype) == ((case.batch,), np.int64)
        assert terms.window.shortest <= lengths.min() <= lengths.max() == case.length
        for row, length in zip(inputs["x"], lengths, strict=True):
            assert np.isfinite(row[:length]).all()
            padding |= {bool(np.isfinite(row[length:]).all())} if length < case.length else set()
    assert padding == {True, False}
    assert any(len(set(case_inputs(terms, case)["lengths"])) > 2 for case in cases)
