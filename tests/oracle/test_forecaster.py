"""The oracle's forecaster: by hand, against the torch module, and as a stream against itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.errors import ContractError, InputError
from lstm_export.nn.forecaster import Forecaster, ForecasterStream
from lstm_export.nn.forms import ForecasterFeedback, RaggedForecaster
from lstm_export.oracle.forecaster import feed_back, forecast, ragged, stream

TOLERANCE = 1e-11


def terms_of(
    cell: str = "lstm",
    *,
    lag: int = 0,
    horizon: int = 1,
    features: int = 2,
    targets: tuple[int, ...] = (1, 0),
    bidirectional: bool = False,
    proj_size: int = 0,
) -> Forecast:
    columns = tuple(Column(f"c{i}", "", -2.0, 3.0) for i in range(features))
    scales = tuple(1.5 + i for i in range(features))
    offsets = tuple(0.25 * (i + 1) for i in range(features))
    return Forecast(
        features=columns,
        targets=tuple(columns[i] for i in targets),
        window=Window(context_length=6, horizon=horizon, difference=lag),
        input_scaling=Scaling("standard", offsets, scales),
        target_scaling=Scaling(
            "standard", tuple(offsets[i] for i in targets), tuple(scales[i] for i in targets)
        ),
        recurrent=Recurrent(cell, features, 5, 2, bidirectional, proj_size),
    )


def module_of(terms: Forecast) -> tuple[Forecaster, dict[str, np.ndarray]]:
    torch.manual_seed(3)
    module = Forecaster(terms).double().eval()
    return module, {name: w.detach().numpy() for name, w in module.state_dict().items()}


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("lag", "horizon"), [(0, 1), (0, 4), (1, 1), (1, 5), (3, 2), (3, 3), (3, 8)]
)
def test_forecast_is_the_torch_module_in_float64(
    cell: str, bidirectional: bool, lag: int, horizon: int
) -> None:
    terms = terms_of(cell, lag=lag, horizon=horizon, bidirectional=bidirectional)
    module, weights = module_of(terms)
    rng = np.random.default_rng(0)
    for batch, length in ((1, terms.window.shortest), (3, 9), (2, 30)):
        x = rng.standard_normal((batch, length, 2)) * 3
        with torch.no_grad():
            expected = module(torch.from_numpy(x)).numpy()
        got = forecast(terms, weights, x)
        assert got.shape == (batch, horizon, 2)
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("cell", "proj_size"), [("lstm", 0), ("lstm", 3), ("gru", 0), ("rnn", 0)])
@pytest.mark.parametrize(("lag", "horizon"), [(0, 3), (1, 1), (1, 4), (3, 1), (3, 2), (2, 5)])
def test_stream_is_the_torch_module_in_float64(
    cell: str, proj_size: int, lag: int, horizon: int
) -> None:
    terms = terms_of(cell, lag=lag, horizon=horizon, proj_size=proj_size)
    module, weights = module_of(terms)
    rng = np.random.default_rng(0)
    for batch, length in ((1, 1), (3, 2), (2, 11)):
        inputs = {"x": rng.standard_normal((batch, length, 2)), **state_of(terms, batch, rng)}
        with torch.no_grad():
            expected = ForecasterStream(module)(*(torch.from_numpy(v) for v in inputs.values()))
        got = stream(terms, weights, inputs)
        for (name, ours), theirs in zip(got.items(), expected, strict=True):
            assert ours.shape == tuple(theirs.shape), name
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("lag", [0, 2])
def test_every_step_of_a_stream_is_a_forecast_of_what_it_has_seen(lag: int) -> None:
    terms = terms_of(lag=lag, horizon=3)
    _, weights = module_of(terms)
    x = np.random.default_rng(0).standard_normal((2, 8, 2))
    inputs = {
        "x": x[:, lag:],
        "initial_h": np.zeros((2, 2, 5)),
        "initial_c": np.zeros((2, 2, 5)),
    }
    if lag:
        inputs["initial_rows"] = x[:, :lag]
    output = stream(terms, weights, inputs)["output"]
    for t in range(8 - lag):
        whole = forecast(terms, weights, x[:, : lag + t + 1])
        np.testing.assert_allclose(output[:, t], whole, rtol=0, atol=1e-13)


def test_differences_are_added_back_by_hand() -> None:
    # With a head of zeros the forecast difference is its bias, here 1, 2, 3, 4 and 5.
    terms = terms_of(lag=2, horizon=5, features=1, targets=(0,))
    _, weights = module_of(terms)
    weights["head.weight"] = np.zeros_like(weights["head.weight"])
    weights["head.bias"] = np.arange(1.0, 6.0)
    d = np.arange(1.0, 6.0) * 1.5 + 0.25
    got = forecast(terms, weights, np.array([[[5.0], [10.0], [100.0], [200.0]]]))
    a, b = 100 + d[0], 200 + d[1]
    expected = [a, b, a + d[2], b + d[3], a + d[2] + d[4]]
    np.testing.assert_allclose(got[0, :, 0], expected, rtol=1e-15)


def test_what_does_not_fit_is_refused() -> None:
    terms = terms_of(lag=2)
    _, weights = module_of(terms)
    with pytest.raises(InputError, match="at least 3 rows, got 2"):
        forecast(terms, weights, np.zeros((1, 2, 2)))
    with pytest.raises(InputError, match=r"expected \(batch, rows, 2\)"):
        forecast(terms, weights, np.zeros((1, 4, 3)))
    with pytest.raises(ContractError, match="not used by a forecaster"):
        forecast(terms, {**weights, "stray": np.zeros(1)}, np.zeros((1, 4, 2)))
    with pytest.raises(ContractError, match=r"head\.bias: expected shape \(2,\)"):
        forecast(terms, {**weights, "head.bias": np.zeros(1)}, np.zeros((1, 4, 2)))
    with pytest.raises(InputError, match=r"expected inputs .*initial_rows"):
        stream(terms, weights, {"x": np.zeros((1, 4, 2))})
    state = state_of(terms, 1, np.random.default_rng(0))
    with pytest.raises(InputError, match=r"initial_rows: expected \(1, 2, …\)"):
        stream(
            terms, weights, {**state, "x": np.zeros((1, 4, 2)), "initial_rows": np.ones((1, 1, 2))}
        )
    with pytest.raises(ContractError, match="cannot stream"):
        stream(terms_of(bidirectional=True), weights, {})


@pytest.mark.parametrize(("cell", "proj_size"), [("lstm", 0), ("lstm", 3), ("gru", 0), ("rnn", 0)])
@pytest.mark.parametrize(("lag", "targets"), [(0, (1, 0)), (2, (1, 0)), (0, (1,)), (3, (0,))])
def test_feeding_back_is_the_torch_module_in_float64(
    cell: str, proj_size: int, lag: int, targets: tuple[int, ...]
) -> None:
    terms = terms_of(cell, lag=lag, targets=targets, proj_size=proj_size)
    module, weights = module_of(terms)
    rng = np.random.default_rng(0)
    known = len(terms.known)
    for batch, length, steps in ((1, lag + 1, 1), (3, 7, 2), (2, 9, 8)):
        x, future = rng.standard_normal((batch, length, 2)), rng.standard_normal((batch, 7, known))
        with torch.no_grad():
            feeds = (torch.from_numpy(x), torch.tensor(steps))
            rows = torch.from_numpy(future) if known else None
            expected = ForecasterFeedback(module)(*feeds, rows).numpy()
        got = feed_back(terms, weights, x, steps, future if known else None)
        assert got.shape == (batch, steps, len(targets))
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("lag", [0, 2])
def test_feeding_back_is_forecasting_a_series_that_grows(lag: int) -> None:
    terms = terms_of(lag=lag, targets=(1,))
    _, weights = module_of(terms)
    rng = np.random.default_rng(0)
    x, future = rng.standard_normal((2, 6, 2)), rng.standard_normal((2, 4, 1))
    got = feed_back(terms, weights, x, 5, future)
    for step in range(5):
        ahead = forecast(terms, weights, x)
        np.testing.assert_allclose(got[:, step], ahead[:, 0], rtol=0, atol=1e-13)
        if step < 4:
            x = np.concatenate([x, np.concatenate([future[:, step], ahead[:, 0]], 1)[:, None]], 1)


def test_ragged_sequences_are_each_alone() -> None:
    terms = terms_of("gru", lag=2, horizon=3, bidirectional=True)
    module, weights = module_of(terms)
    x = np.random.default_rng(0).standard_normal((3, 9, 2))
    lengths = np.array([9, 3, 6])
    got = ragged(terms, weights, x, lengths)
    with torch.no_grad():
        packed = RaggedForecaster(module)(torch.from_numpy(x), torch.from_numpy(lengths)).numpy()
    np.testing.assert_allclose(got, packed, rtol=0, atol=TOLERANCE)
    x[1, 3:] = np.nan
    np.testing.assert_array_equal(ragged(terms, weights, x, lengths), got)


def test_what_cannot_be_fed_back_is_refused() -> None:
    x = np.zeros((1, 4, 2))
    terms = terms_of(horizon=2)
    with pytest.raises(ContractError, match="no next row"):
        feed_back(terms, module_of(terms)[1], x, 3)
    terms = terms_of(targets=(0,))
    weights = module_of(terms)[1]
    for future in (None, np.zeros((1, 1, 1)), np.zeros((2, 2, 1))):
        with pytest.raises(InputError, match="future: expected 2 rows of c1"):
            feed_back(terms, weights, x, 3, future)


def state_of(terms: Forecast, batch: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    spec = terms.recurrent
    state = {"initial_h": rng.standard_normal((spec.num_layers, batch, spec.state_size))}
    if spec.cell == "lstm":
        state["initial_c"] = rng.standard_normal((spec.num_layers, batch, spec.hidden_size))
    if terms.window.difference:
        rows = (batch, terms.window.difference, len(terms.features))
        state["initial_rows"] = rng.standard_normal(rows)
    return state
