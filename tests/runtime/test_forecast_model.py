"""Calling a forecaster: every form of input, every refusal, and horizons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lstm_export.errors import InputError, OptionError
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.load import load_forecaster

Load = Callable[[str], ForecastModel]


def rows(*shape: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_batches_sequences_and_single_features(model: Load) -> None:
    plain, x = model("plain"), rows(3, 9, 1)
    expected = plain(x)
    assert expected.shape == (3, 1, 1)
    assert expected.dtype == np.float32
    close = {"rtol": 1e-5, "atol": 1e-6}
    for i in range(3):
        np.testing.assert_allclose(plain(x[i]), expected[i], **close)
        np.testing.assert_allclose(plain(x[i, :, 0]), expected[i], **close)
        np.testing.assert_allclose(plain(x[i, :, 0].tolist()), expected[i], **close)
    for same in (x.astype(np.float64), x.tolist(), {"x": x}, x[:, ::-1][:, ::-1]):
        np.testing.assert_allclose(plain(same), expected, **close)
    integers = np.arange(9).reshape(-1, 1)
    for dtype in (np.int64, np.int8, np.uint16, np.float64, ">f4", ">f8"):
        np.testing.assert_array_equal(
            plain(integers.astype(dtype)), plain(integers.astype(np.float32))
        )


def test_several_features_and_targets(model: Load) -> None:
    direct = model("direct")
    assert direct(rows(2, 8, 2)).shape == (2, 3, 2)
    assert direct(rows(8, 2)).shape == (3, 2)
    by_rows = list(rows(8, 2))
    np.testing.assert_array_equal(direct(by_rows), direct(rows(8, 2)))
    assert model("exogenous")(rows(8, 3)).shape == (1, 1)


def test_a_list_of_ragged_sequences_keeps_its_order(model: Load) -> None:
    seasonal = model("seasonal")
    sequences = [rows(length, 1, seed=i) for i, length in enumerate((9, 4, 9, 30, 4))]
    expected = np.stack([seasonal(x) for x in sequences])
    for same in (
        sequences,
        tuple(sequences),
        [x.tolist() for x in sequences],
        [x[:, 0] for x in sequences],
    ):
        np.testing.assert_allclose(seasonal(same), expected, rtol=1e-5, atol=1e-6)
    equal = [x[-4:] for x in sequences]
    np.testing.assert_array_equal(seasonal(equal), seasonal(np.stack(equal)))
    # Rank-1 arrays are sequences whether or not they happen to be equally long.
    np.testing.assert_array_equal(seasonal([x[:, 0] for x in equal]), seasonal(equal))


NAN, INF = float("nan"), float("inf")


def with_value(value: float, *place: int, shape: tuple[int, ...] = (2, 8, 3)) -> Any:
    x = np.zeros(shape)
    x[place] = value
    return x


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 2, 3, 4)), r"\(sequence_length, 3\), got shape \(1, 2, 3, 4\)"),
        (np.zeros(5), "rank 1 is for models of one feature, not 3"),
        (np.float32(1), r"got shape \(\)"),
        (np.zeros((1, 5, 2)), r"3 values per step \(feature_0, feature_1, feature_2\), got 2"),
        (np.zeros((5, 4)), "got 4"),
        (np.zeros((0, 5, 3)), "x is empty: shape"),
        (np.zeros((2, 0, 3)), "x is empty"),
        (np.zeros((0, 3)), "x is empty"),
        ([], "empty list"),
        (np.zeros((1, 3)), "too short: 1 steps, and the model needs at least 2"),
        (np.zeros((5, 3), bool), "got bool"),
        (np.zeros((5, 3), complex), "got complex128"),
        (np.zeros((5, 3), object), "got object"),
        (np.zeros((5, 3), np.float16), "got float16"),
        (np.zeros((5, 3), np.longdouble), "got float128|got longdouble"),
        (np.zeros((5, 3), "datetime64[s]"), "got datetime64"),
        ([["1", "2", "3"]] * 5, "got <U1"),
        ("sunspots", "got shape"),
        (None, "got shape"),
        ([[1.0, 2.0, 3.0], [1.0, 2.0]], "differ in length"),
        ([[[1.0, 2.0, 3.0]] * 4, 5.0], "differ in length"),
        ([np.zeros((5, 3)), np.zeros((6, 2))], r"x\[1\]: expected 3 values"),
        ([np.zeros((5, 3)), np.zeros((1, 3))], r"x\[1\] is too short"),
        ([np.zeros((5, 3)), np.zeros((1, 6, 3))], r"x\[1\]: expected"),
        ([np.zeros((5, 3)), with_value(NAN, 4, 1, shape=(6, 3))], r"x\[1\]: nan at step 4"),
        (with_value(NAN, 1, 5, 2), "x: nan at row 1, step 5, feature 'feature_2': fill"),
        (with_value(-INF, 0, 7, 1), "-inf at row 0, step 7, feature 'feature_1'"),
        (with_value(NAN, 3, 0, shape=(8, 3)), "nan at step 3, feature 'feature_0'"),
        (np.full((4, 7, 3), NAN), r"\(84 of 84 values are not finite\)"),
        (with_value(1e39, 1, 2, 0), r"1e\+39 at row 1, step 2, .* too large for float32"),
        (np.ma.masked_equal(np.zeros((5, 3)), 0), "masked"),
        ({"y": np.zeros((5, 3))}, "no input 'y'; its inputs are x"),
        ({"x": np.zeros((5, 3)), "x_1": 0}, "no input 'x_1'"),
        ({}, "'x' is missing"),
    ],
)
def test_feeds_that_are_refused(model: Load, x: object, message: str) -> None:
    for call in (model("exogenous"), model("exogenous").forecast):
        with pytest.raises(InputError, match=message) as caught:
            call(x)
        assert "\n" not in str(caught.value)


def test_large_finite_values_are_not_taken_for_infinities(model: Load) -> None:
    assert np.isfinite(model("plain")(np.full((5, 1), 1e30))).all()
    assert model("plain")(np.zeros((3, 20_000, 1))).shape == (3, 1, 1)


def test_non_finite_values_may_pass(bundle: Callable[[str], Any]) -> None:
    passing = load_forecaster(bundle("plain"), on_nonfinite="pass")
    assert passing([0.0, NAN, 1.0]).shape == (1, 1)
    with pytest.raises(InputError, match="too large for float32"):
        passing([0.0, 1e39])


def test_forecast_uses_its_window_only(model: Load) -> None:
    exogenous = model("exogenous")
    x = rows(2, 50, 3)
    needed = exogenous.terms.window.history
    expected = exogenous(x[:, -needed:])
    x[:, : 50 - needed] = np.nan
    np.testing.assert_array_equal(exogenous.forecast(x), expected)
    ragged = [x[0], x[1, -needed:]]
    np.testing.assert_array_equal(exogenous.forecast(ragged), expected)


def test_a_direct_model_truncates_and_refuses(model: Load) -> None:
    direct, x = model("direct"), rows(2, 8, 2)
    whole = direct.forecast(x)
    assert whole.shape == (2, 3, 2)
    for steps in (1, 2, 3):
        np.testing.assert_array_equal(direct.forecast(x, steps), whole[:, :steps])
    np.testing.assert_array_equal(direct.forecast(x[0], np.int64(2)), direct.forecast(x[0])[:2])
    with pytest.raises(OptionError, match=r"horizon 4: this model predicts 3 steps.*--horizon 4"):
        direct.forecast(x, 4)


@pytest.mark.parametrize("kind", ["plain", "seasonal", "bidirectional"])
def test_a_one_step_model_feeds_back(model: Load, kind: str) -> None:
    one_step = model(kind)
    window = one_step.terms.window
    history = rows(3, 20, 1)
    seen = history[:, -window.history :]
    expected = []
    for _ in range(9):
        expected.append(one_step(seen))
        seen = np.concatenate([seen, expected[-1]], axis=1)
        if not one_step.terms.causal:
            seen = seen[:, -window.history :]
    got = one_step.forecast(history, horizon=9)
    assert got.shape == (3, 9, 1)
    np.testing.assert_allclose(got, np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(one_step.forecast(history[1, :, 0], 9), got[1], rtol=1e-5, atol=1e-5)


def test_other_one_step_models_say_why_they_cannot(model: Load) -> None:
    with pytest.raises(OptionError, match="future values of feature_1, feature_2"):
        model("exogenous").forecast(rows(8, 3), 2)
    assert model("exogenous").forecast(rows(8, 3), 1).shape == (1, 1)


@pytest.mark.parametrize("horizon", [0, -1, 1.0, True, "3", NAN])
def test_horizons_that_make_no_sense(model: Load, horizon: Any) -> None:
    with pytest.raises(OptionError, match="horizon must be an integer ≥ 1"):
        model("plain").forecast(rows(9, 1), horizon)
