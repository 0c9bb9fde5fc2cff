"""Learning rates and early stopping."""

from __future__ import annotations

import itertools

import pytest

from lstm_export.training.options import TrainOptions
from lstm_export.training.schedule import EpochRecord, best_epoch, learning_rate, stops


def history(*losses: float | None) -> list[EpochRecord]:
    return [EpochRecord(i, 1.0, loss, 0.1) for i, loss in enumerate(losses, start=1)]


def options(**changes: object) -> TrainOptions:
    return TrainOptions(**{"data": "x.csv", "lr": 0.1, "epochs": 10, **changes})  # type: ignore[arg-type]


def test_the_first_least_loss_is_the_best() -> None:
    assert best_epoch([]) == 0
    assert best_epoch(history(3, 1, 2, 1)) == 2
    assert best_epoch(history(None, None, None)) == 3


@pytest.mark.parametrize(
    ("losses", "stopped"), [([2, 1, 3], False), ([2, 1, 3, 3], True), ([2, 1, 3, 0.5], False)]
)
def test_patience_counts_epochs_since_the_best(losses: list[float], stopped: bool) -> None:
    assert stops(options(patience=2), history(*losses), 0) is stopped
    assert not stops(options(patience=0), history(*losses), 0)


def test_epochs_and_steps_have_an_end() -> None:
    assert stops(options(epochs=2), history(2, 1), 0)
    assert stops(options(max_steps=7), [], 7)
    assert not stops(options(max_steps=7), [], 6)


def test_cosine_falls_from_the_rate_to_almost_nothing() -> None:
    rates = [learning_rate(options(schedule="cosine"), history(*[1.0] * n)) for n in range(10)]
    assert rates[0] == 0.1
    assert rates[5] == pytest.approx(0.05)
    assert all(a > b for a, b in itertools.pairwise(rates))


def test_a_plateau_halves_the_rate() -> None:
    chosen = options(schedule="plateau", patience=8)
    assert learning_rate(chosen, history(3, 2, 2)) == 0.1
    assert learning_rate(chosen, history(3, 2, 2, 2)) == 0.05
    assert learning_rate(chosen, history(3, 2, 2, 2, 2, 2)) == 0.025
    assert learning_rate(chosen, history(3, 2, 2, 2, 1, 1)) == 0.05
