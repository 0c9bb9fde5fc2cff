"""Batches shared out over cores."""

from __future__ import annotations

import pytest
import torch

from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.nn.forecaster import Forecaster
from lstm_export.training.flat import FlatParameters, FusedAdam, clip
from lstm_export.training.options import TrainOptions
from lstm_export.training.shards import Shards, shards_for

COLUMN = (Column("x", "", 0.0, 1.0),)
SCALING = Scaling("none", (0.0,), (1.0,))
CPU = torch.device("cpu")


def model() -> Forecaster:
    torch.manual_seed(0)
    spec = Recurrent("lstm", 1, 4, num_layers=2)
    return Forecaster(Forecast(COLUMN, COLUMN, Window(5, 2), SCALING, SCALING, spec))


@pytest.mark.parametrize("windows", [12, 7, 2])
def test_the_gradient_is_that_of_the_whole_batch(windows: int) -> None:
    x, y = torch.randn(windows, 5, 1), torch.randn(windows, 2, 1)
    with Shards(model(), 1) as whole, Shards(model(), 3) as shared:
        for shards in (whole, shared):
            shards.train(True)
            shards.learn(torch.randn(12, 5, 1), torch.randn(12, 2, 1))  # leaves nothing behind
        torch.testing.assert_close(shared.learn(x, y), whole.learn(x, y))
        torch.testing.assert_close(shared.gradients, whole.gradients)
        torch.testing.assert_close(shared.judge(x, y), whole.judge(x, y))


def test_replicas_follow_the_weights() -> None:
    x, y = torch.randn(6, 5, 1), torch.randn(6, 2, 1)
    made = model()
    with Shards(made, 2) as shards:
        shards.values.zero_()
        assert all((parameter == 0).all() for parameter in made.parameters())
        torch.testing.assert_close(shards.judge(x, y), (y**2).mean())


def test_small_models_and_dropout_stay_whole() -> None:
    small = TrainOptions(data="x.csv")
    large = TrainOptions(
        data="x.csv", hidden_size=50, num_layers=2, context_length=100, batch_size=256
    )
    assert shards_for(small, 1, CPU) == 1
    assert shards_for(large, 1, CPU) == min(torch.get_num_threads(), 30)
    assert shards_for(TrainOptions(**{**vars(large), "dropout": 0.1}), 1, CPU) == 1
    assert shards_for(large, 1, torch.device("cuda")) == 1


def test_the_flat_step_is_torch_s_adamw() -> None:
    ours, theirs = model(), model()
    parameters = FlatParameters(ours)
    adam = FusedAdam(parameters.values, parameters.gradients)
    reference = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(3):
        x, y = torch.randn(6, 5, 1), torch.randn(6, 2, 1)
        parameters.gradients.zero_()
        reference.zero_grad()
        for made in (ours, theirs):
            torch.nn.functional.mse_loss(made.scaled(x), y).backward()
        clip(parameters.gradients, 0.5, 0.2)
        torch.nn.utils.clip_grad_value_(theirs.parameters(), 0.2)
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        adam.step(0.01, 0.1)
        reference.step()
    for got, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(got, expected)
