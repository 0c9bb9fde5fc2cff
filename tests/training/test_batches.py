"""Windows as views."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lstm_export.contract import Window
from lstm_export.training.batches import WindowBatches, epoch_order

CPU = torch.device("cpu")


@pytest.mark.parametrize("lag", [0, 2])
@pytest.mark.parametrize("size", [1, 4, 7, 100])
def test_batches_hold_the_rows_of_their_windows(lag: int, size: int) -> None:
    rows = torch.arange(40.0).reshape(20, 2)
    targets = torch.arange(20.0).reshape(20, 1) + 100
    window = Window(context_length=3, horizon=2, difference=lag)
    starts = torch.tensor([0, 1, 5, 6, 11, 20 - window.history - 2])
    order = torch.tensor([3, 0, 5, 1, 2, 4])
    batches = list(WindowBatches(rows, targets, starts, window).batches(size, order))
    assert [len(x) for x, _ in batches][:-1] == [size] * (len(batches) - 1)
    x = torch.cat([x for x, _ in batches])
    y = torch.cat([y for _, y in batches])
    for i, start in enumerate(starts[order].tolist()):
        np.testing.assert_array_equal(x[i], rows[start + lag : start + lag + 3])
        first = start + window.history
        np.testing.assert_array_equal(y[i], targets[first : first + 2])


@pytest.mark.parametrize("lag", [0, 2])
@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("warm_up", [0, 1, 3])
def test_every_step_has_the_rows_after_it_as_targets(lag: int, horizon: int, warm_up: int) -> None:
    rows = torch.arange(40.0).reshape(20, 2)
    targets = torch.arange(40.0).reshape(20, 2) + 100
    window = Window(context_length=4, horizon=horizon, difference=lag)
    starts = torch.tensor([0, 3, 5, 20 - window.history - horizon])
    (x, y), *rest = WindowBatches(rows, targets, starts, window, warm_up).batches(4)
    assert not rest
    assert y.shape == (4, 4 - warm_up, horizon, 2)
    for i, start in enumerate(starts.tolist()):
        for step in range(warm_up, 4):
            row = start + lag + step
            np.testing.assert_array_equal(x[i, step], rows[row])
            for h in range(horizon):
                np.testing.assert_array_equal(y[i, step - warm_up, h], targets[row + 1 + h])


def test_batches_can_begin_in_the_middle() -> None:
    rows = torch.randn(5000, 1)
    window = Window(100, 1)
    batches = WindowBatches(rows, rows, torch.arange(4900), window)
    order = epoch_order(len(batches), 0, 0, CPU)
    whole = list(batches.batches(32, order))
    rest = list(batches.batches(32, order, first=50))
    assert len(rest) == len(whole) - 50
    for (x, y), (x_rest, y_rest) in zip(whole[50:], rest, strict=True):
        assert torch.equal(x, x_rest)
        assert torch.equal(y, y_rest)


def test_windows_are_views_on_the_rows() -> None:
    rows = torch.randn(1000, 3)
    batches = WindowBatches(rows, rows, torch.arange(400), Window(500, 10))
    assert batches._inputs.shape == (501, 500, 3)
    assert batches._inputs.untyped_storage().data_ptr() == rows.untyped_storage().data_ptr()
    assert batches._targets.untyped_storage().data_ptr() == rows.untyped_storage().data_ptr()
    every = WindowBatches(rows, rows, torch.arange(400), Window(500, 10), 125)
    assert every._targets.untyped_storage().data_ptr() == rows.untyped_storage().data_ptr()


def test_every_epoch_has_its_own_order() -> None:
    first = epoch_order(1000, 0, 0, CPU)
    assert torch.equal(first, epoch_order(1000, 0, 0, CPU))
    assert torch.equal(first.sort().values, torch.arange(1000))
    for seed, epoch in ((0, 1), (1, 0), (2**62, 0)):
        assert not torch.equal(first, epoch_order(1000, seed, epoch, CPU))
