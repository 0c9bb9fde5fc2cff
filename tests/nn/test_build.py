"""Modules from checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lstm_export.checkpoint import Checkpoint, Description, Weights
from lstm_export.contract import Column, DataOrigin, Forecast, Recurrent, Scaling, Window
from lstm_export.errors import CheckpointError
from lstm_export.nn.build import build
from lstm_export.nn.forecaster import Forecaster

COLUMN = (Column("x", "", 0.0, 1.0),)
SCALING = Scaling("standard", (0.5,), (2.0,))
TERMS = Forecast(COLUMN, COLUMN, Window(6, 2, 1), SCALING, SCALING, Recurrent("lstm", 1, 3))


def checkpoint(weights: Weights) -> Checkpoint:
    return Checkpoint(Description(TERMS, DataOrigin("d", "0", 1), 0, {}, {}), weights)


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in Forecaster(TERMS).state_dict().items()}


def test_has_the_weights_and_is_ready_to_predict(weights: dict[str, np.ndarray]) -> None:
    model = build(checkpoint(weights))
    assert not model.training
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == torch.float32
        np.testing.assert_array_equal(tensor.numpy(), weights[name])


def test_names_every_tensor_that_does_not_fit(weights: dict[str, np.ndarray]) -> None:
    weights["head.weight"] = np.zeros((2, 4), np.float32)
    weights["head.bias"] = weights["head.bias"].astype(np.float64)
    weights["tail.bias"] = np.zeros(1, np.float32)
    del weights["recurrent.bias_hh_l0"]
    with pytest.raises(CheckpointError) as caught:
        build(checkpoint(weights))
    for part in (
        "head.weight has the shape (2, 4), expected (2, 3)",
        "head.bias is float64, expected float32",
        "recurrent.bias_hh_l0 (12,) is missing",
        "tail.bias is not a weight",
    ):
        assert part in str(caught.value)
