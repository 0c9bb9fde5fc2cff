"""Streams: any chunking is one run over everything, and refusals change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.errors import InputError, OptionError
from lstm_export.runtime.forecast_model import ForecastModel

Load = Callable[[str], ForecastModel]
KINDS = ["plain", "seasonal", "direct", "exogenous"]
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def rows(*shape: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def width_of(model: ForecastModel) -> int:
    return len(model.terms.features)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_the_model_on_every_prefix(model: Load, kind: str) -> None:
    forecaster = model(kind)
    x = rows(2, 12, width_of(forecaster))
    output = forecaster.stream(batch=2).run(x)
    lag = forecaster.terms.window.difference
    assert np.isnan(output[:, :lag]).all()
    for t in range(lag, 12):
        np.testing.assert_allclose(output[:, t], forecaster(x[:, : t + 1]), **CLOSE)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    cuts=st.lists(st.integers(1, 6), min_size=1, max_size=7),
    batch=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_any_chunking_is_one_run(
    model: Load, kind: str, cuts: list[int], batch: int, seed: int
) -> None:
    forecaster = model(kind)
    x = rows(batch, sum(cuts), width_of(forecaster), seed=seed)
    whole = forecaster.stream(batch).run(x)
    stream = forecaster.stream(batch)
    parts, start = [], 0
    for length in cuts:
        chunk = x[:, start : start + length]
        parts.append(stream.step(chunk[:, 0])[:, None] if length == 1 else stream.run(chunk))
        start += length
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, **CLOSE)
    stream.reset()
    np.testing.assert_array_equal(stream.run(x), whole)


def test_forms_of_a_step_and_a_chunk(model: Load) -> None:
    seasonal, x = model("seasonal"), rows(7, 1)
    whole = seasonal.stream().run(x)
    assert whole.shape == (7, 1, 1)
    by_form: list[Callable[[Any], Any]] = [
        lambda value: value,
        lambda value: float(value[0]),
        lambda value: np.float64(value[0]),
        lambda value: value.tolist(),
    ]
    for form in by_form:
        stream = seasonal.stream()
        steps = [stream.step(form(value)) for value in x]
        assert steps[0].shape == (1, 1)
        np.testing.assert_allclose(np.stack(steps), whole, **CLOSE)
    assert seasonal.stream().step(x[:1]).shape == (1, 1, 1)
    np.testing.assert_array_equal(seasonal.stream().run(x[:, 0]), whole)
    np.testing.assert_array_equal(seasonal.stream().run(x[None])[0], whole)
    direct = model("direct")
    assert direct.stream(batch=3).step(rows(3, 2)).shape == (3, 3, 2)
    assert direct.stream(batch=3).run(rows(3, 5, 2)).shape == (3, 5, 3, 2)


def test_streams_do_not_share_their_state(model: Load) -> None:
    plain = model("plain")
    one, other = plain.stream(), plain.stream()
    first = one.step(1.0)
    one.step(2.0)
    np.testing.assert_array_equal(other.step(1.0), first)


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5])
def test_a_refused_call_changes_nothing(model: Load, after: int) -> None:
    direct = model("direct")
    x = rows(3, 9, 2)
    stream, spared = direct.stream(3), direct.stream(3)
    for t in range(after):
        stream.step(x[:, t])
        spared.step(x[:, t])
    bad = x.copy()
    bad[1, 4, 1] = np.nan
    refused: list[tuple[Callable[[Any], Any], Any, str]] = [
        (stream.step, rows(2), r"one row of each series, \(3, 2\), got shape \(2,\)"),
        (stream.step, rows(3), "got shape"),
        (stream.step, rows(2, 2), r"got shape \(2, 2\)"),
        (stream.step, rows(3, 1, 2), r"got shape \(3, 1, 2\)"),
        (stream.step, 1.0, r"got shape \(\)"),
        (stream.step, bad[:, 4], "x_t: nan at row 1, step 0, feature 'feature_1'"),
        (stream.step, np.full((3, 2), 1e40), "too large for float32"),
        (stream.step, np.zeros((3, 2), bool), "got bool"),
        (stream.run, rows(4, 2), r"expected \(3, sequence_length, 2\), got shape \(4, 2\)"),
        (stream.run, rows(3, 4, 1), "got shape"),
        (stream.run, rows(2, 4, 2), "got shape"),
        (stream.run, rows(3, 0, 2), "chunk is empty"),
        (stream.run, bad, "chunk: nan at row 1, step 4, feature 'feature_1'"),
        (stream.run, [[1.0], [1.0, 2.0]], "differ in length"),
    ]
    for call, value, message in refused:
        with pytest.raises(InputError, match=message):
            call(value)
    np.testing.assert_array_equal(stream.run(x[:, after:]), spared.run(x[:, after:]))


def test_one_series_says_both_forms(model: Load) -> None:
    with pytest.raises(InputError, match=r"\(2\,\) or \(1, 2\), got shape \(3,\)"):
        model("direct").stream().step(rows(3))
    with pytest.raises(InputError, match=r"\(sequence_length, 2\) or \(1, sequence_length, 2\)"):
        model("direct").stream().run(rows(3))


def test_two_directions_cannot_stream(model: Load) -> None:
    with pytest.raises(OptionError, match="two directions"):
        model("bidirectional").stream()


@pytest.mark.parametrize("batch", [0, -1, 1.5, True, None])
def test_batches_that_make_no_sense(model: Load, batch: Any) -> None:
    with pytest.raises(OptionError, match="batch must be an integer ≥ 1"):
        model("plain").stream(batch)
