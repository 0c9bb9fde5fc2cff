"""The forecaster against its equations, written as plain loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.nn.forecaster import Forecaster, ForecasterStream

Array = npt.NDArray[np.float64]


def terms(lag: int, horizon: int, **details: Any) -> Forecast:
    a, b, c = (Column(name, "", -1.0, 1.0) for name in "abc")
    return Forecast(
        features=(a, b, c),
        targets=(c, a),
        window=Window(8, horizon, lag),
        input_scaling=Scaling("standard", (0.1, -0.2, 0.3), (1.5, 0.5, 2.0)),
        target_scaling=Scaling("standard", (0.3, 0.1), (2.0, 1.5)),
        recurrent=Recurrent("lstm", 3, 5, **details),
    )


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def by_hand(model: Forecaster, x: Array) -> Array:
    """One sequence (sequence_length, features) to (horizon, targets), one layer, step by step."""
    forecast, lag = model.forecast, model.forecast.window.difference
    w = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    h, c = np.zeros(5), np.zeros(5)
    for t in range(lag, len(x)):
        d = x[t] - x[t - lag] if lag else x[t]
        z = (d - np.array(forecast.input_scaling.offset)) / np.array(forecast.input_scaling.scale)
        gates = w["recurrent.weight_ih_l0"] @ z + w["recurrent.bias_ih_l0"]
        gates += w["recurrent.weight_hh_l0"] @ h + w["recurrent.bias_hh_l0"]
        i, f, g, o = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    p = (w["head.weight"] @ h + w["head.bias"]).reshape(forecast.window.horizon, 2)
    p = p * np.array(forecast.target_scaling.scale) + np.array(forecast.target_scaling.offset)
    if not lag:
        return p
    known = [list(row) for row in x[:, [2, 0]]]
    for step in p:
        known.append([step[j] + known[-lag][j] for j in range(2)])
    return np.array(known[len(x) :])


@pytest.mark.parametrize(
    ("lag", "horizon"), [(0, 1), (0, 4), (1, 1), (1, 5), (3, 2), (3, 3), (3, 8)]
)
def test_follows_its_equations(lag: int, horizon: int) -> None:
    torch.manual_seed(0)
    model = Forecaster(terms(lag, horizon)).double().eval()
    x = np.random.default_rng(1).normal(size=(2, 12, 3))
    with torch.no_grad():
        got = model(torch.from_numpy(x)).numpy()
    assert got.shape == (2, horizon, 2)
    for i in range(2):
        np.testing.assert_allclose(got[i], by_hand(model, x[i]), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_every_step_is_as_the_last_of_a_shorter_window(steps: int) -> None:
    torch.manual_seed(0)
    model = Forecaster(terms(0, 2, num_layers=2, proj_size=3)).double().eval()
    z = torch.randn(4, 8, 3, dtype=torch.float64)
    with torch.no_grad():
        got = model.scaled_steps(z, steps)
        assert got.shape == (4, steps, 2, 2)
        for k in range(steps):
            np.testing.assert_allclose(got[:, k], model.scaled(z[:, : 9 - steps + k]), atol=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize(("lag", "horizon"), [(0, 2), (2, 1), (2, 5)])
def test_a_stream_in_chunks_equals_the_whole(cell: Any, lag: int, horizon: int) -> None:
    torch.manual_seed(0)
    spec = replace(terms(lag, horizon), recurrent=Recurrent(cell, 3, 5, num_layers=2))
    model = Forecaster(spec).double().eval()
    stream = ForecasterStream(model)
    x = torch.randn(2, 15, 3, dtype=torch.float64)
    state = tuple(
        torch.zeros(2, 2, 5, dtype=torch.float64) for _ in range(2 if cell == "lstm" else 1)
    )
    if lag:
        state = (*state, x[:, :lag])
    outputs, at = [], lag
    with torch.no_grad():
        for length in (1, 1, 4, 15 - lag - 6):
            output, *state = stream(x[:, at : at + length], *state)  # type: ignore[assignment]
            outputs.append(output)
            at += length
        got = torch.cat(outputs, dim=1)
        for t in range(lag, 15):
            np.testing.assert_allclose(got[:, t - lag], model(x[:, : t + 1]), atol=1e-12)


def test_two_directions_cannot_stream() -> None:
    with pytest.raises(ValueError, match="whole sequence"):
        ForecasterStream(Forecaster(terms(0, 1, bidirectional=True)))
