"""Weights moved by one place are neighbours of what they were, on either side."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_export.compare.rounding import moved_by_one_place

EDGES = [0.0, -0.0, np.inf, -np.inf, 1e-45, -1e-45, 3.4028235e38, -3.4028235e38, 1.0, -1.0]
INFINITY = np.float32(np.inf)


@pytest.mark.parametrize("seed", range(4))
def test_every_value_becomes_a_neighbour(seed: int) -> None:
    values = np.concatenate([EDGES, np.random.default_rng(0).normal(size=999)]).astype(np.float32)
    moved = moved_by_one_place(values, np.random.default_rng(seed))
    with np.errstate(over="ignore", under="ignore"):
        above, below = (np.nextafter(values, sign * INFINITY) for sign in (1, -1))
    assert moved.dtype == np.float32
    assert np.all((moved == above) | (moved == below))
    assert 0.4 < np.mean(moved == above) < 0.6
    again = moved_by_one_place(values, np.random.default_rng(seed))
    np.testing.assert_array_equal(moved, again)


def test_nan_and_shapes_stay() -> None:
    rng = np.random.default_rng(0)
    assert np.isnan(moved_by_one_place(np.full(3, np.nan, np.float32), rng)).all()
    for shape in ((), (0, 3), (2, 3)):
        assert moved_by_one_place(np.ones(shape, np.float32).T, rng).shape == shape[::-1]
