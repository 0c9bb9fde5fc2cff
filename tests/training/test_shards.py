"""Batches shared out over cores."""

from __future__ import annotations

import pytest
import torch

from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.nn.forecaster import Forecaster
from lstm_export.training.flat import FlatParameters, FusedAdam, average, clip
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


@pytest.mark.parametrize("steps", [1, 4, 5])
def test_every_step_is_what_the_last_step_of_a_shorter_window_is(steps: int) -> None:
    made, x, y = model(), torch.randn(6, 5, 1), torch.randn(6, steps, 2, 1)
    expected = [
        (made.scaled(x[:, : 5 - steps + 1 + k]) - y[:, k]).square().mean() for k in range(steps)
    ]
    torch.stack(expected).mean().backward()
    gradient = torch.cat([parameter.grad.flatten() for parameter in made.parameters()])
    for count in (1, 2):
        with Shards(model(), count) as shards:
            loss = shards.learn(x, y)
            torch.testing.assert_close(loss, torch.stack(expected).mean().detach())
            torch.testing.assert_close(shards.gradients, gradient)


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
    narrow, wide = Recurrent("lstm", 1, 32), Recurrent("lstm", 1, 50, num_layers=2)
    assert shards_for(small, 24, narrow, CPU) == 1
    assert shards_for(large, 100, wide, CPU) == min(torch.get_num_threads(), 30)
    dropping = TrainOptions(**{**vars(large), "dropout": 0.1})
    assert shards_for(dropping, 100, wide, CPU) == 1
    assert shards_for(large, 100, wide, torch.device("cuda")) == 1


def test_the_flat_step_is_torch_s_adam_with_l2() -> None:
    ours, theirs = model(), model()
    parameters = FlatParameters(ours)
    adam = FusedAdam(parameters.values, parameters.gradients)
    reference = torch.optim.Adam(theirs.parameters(), lr=0.01, weight_decay=0.1)
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


def test_the_average_forgets_its_first_weights_soon() -> None:
    averaged, expected = torch.zeros(3), torch.zeros(3)
    for step in range(1, 40):
        values = torch.full((3,), float(step))
        average(averaged, values, 0.6, step)
        keep = min(0.6, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * values
    torch.testing.assert_close(averaged, expected)
