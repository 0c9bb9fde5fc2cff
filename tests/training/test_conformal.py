"""Half-widths that promise a coverage, and keep it."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.training.conformal import LEVELS, calibrate, coverage_on_test, rank


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_every_order_of_few_residuals_covers_as_the_formula_says(count: int) -> None:
    """Of all orders of n + 1 different errors the last is within the bound in k / (n + 1)."""
    ranks = {level: rank(count, level) for level in LEVELS}
    for level, k in ranks.items():
        assert Fraction(k, count + 1) >= Fraction(str(level)) > Fraction(k - 1, count + 1)
    errors = [0.25 * (i + 1) * (-1) ** i for i in range(count + 1)]
    inside, orders = dict.fromkeys(LEVELS, 0), math.factorial(count + 1)
    for order in permutations(errors):
        intervals = calibrate([np.array(order[:-1])[:, np.newaxis]])
        levels = () if intervals is None else intervals.levels
        assert levels == tuple(level for level, k in ranks.items() if k <= count)
        for place, level in enumerate(levels):
            assert intervals is not None
            inside[level] += abs(order[-1]) <= intervals.half_widths[place][0][0]
    for level, k in ranks.items():
        assert Fraction(inside[level], orders) == (Fraction(k, count + 1) if k <= count else 0)


@given(st.integers(1, 3000), st.sampled_from(LEVELS))
def test_the_rank_is_exact(count: int, level: float) -> None:
    percent = round(level * 100)
    assert rank(count, level) == -(-(count + 1) * percent // 100)


@settings(deadline=None, max_examples=20)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(9, 60),
    st.sampled_from(["normal", "heavy", "skewed", "ties"]),
)
def test_exchangeable_errors_are_covered_as_promised(seed: int, count: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    draws = {
        "normal": random.normal(size=(4000, count + 1)),
        "heavy": random.standard_cauchy((4000, count + 1)),
        "skewed": random.exponential(size=(4000, count + 1)),
        "ties": random.integers(0, 3, (4000, count + 1)).astype(float),
    }[kind]
    # One common factor a row: exchangeable, and far from independent.
    draws *= random.lognormal(size=(4000, 1))
    intervals = calibrate([np.ascontiguousarray(draws[:, :-1].T)])
    assert intervals is not None
    assert intervals.levels == tuple(c for c in LEVELS if rank(count, c) <= count)
    for level, widths in zip(intervals.levels, intervals.half_widths, strict=True):
        share = np.mean(np.abs(draws[:, -1]) <= np.array(widths)[:, 0])
        noise = 5 * math.sqrt(0.25 / 4000)
        assert share >= level - noise
        if kind != "ties":
            assert share <= rank(count, level) / (count + 1) + noise


def test_widths_grow_with_the_level_and_are_never_smaller_than_the_residual() -> None:
    residuals = np.random.default_rng(0).normal(size=(150, 3))
    intervals = calibrate([residuals, residuals[:60]])
    assert intervals is not None
    assert intervals.levels == LEVELS
    assert intervals.residuals == (150, 60)
    one_step = np.array([[t[0] for t in level] for level in intervals.half_widths], np.float32)
    assert (np.diff(one_step, axis=0) >= 0).all()
    for i, level in enumerate(LEVELS):
        exact = np.sort(np.abs(residuals), axis=0)[rank(150, level) - 1]
        assert (one_step[i] >= exact).all()  # rounded, but upwards
        np.testing.assert_allclose(one_step[i], exact, rtol=2e-7)


def test_a_level_ends_where_there_are_too_few_residuals_for_it() -> None:
    intervals = calibrate([np.ones((count, 1)) for count in (99, 98, 19, 18, 9, 8)])
    assert intervals is not None
    reach = {level: intervals.steps(i) for i, level in enumerate(intervals.levels)}
    assert (reach[0.99], reach[0.95], reach[0.9], reach[0.5]) == (1, 3, 5, 6)
    assert intervals.residuals == (99, 98, 19, 18, 9, 8)


def test_nothing_is_infinite() -> None:
    wild = np.ones((40, 2))
    wild[3, 1], wild[4, 1] = np.nan, 1e60
    intervals = calibrate([np.ones((40, 2)), wild])
    assert intervals is not None
    assert np.isfinite([w for level in intervals.half_widths for t in level for w in t]).all()
    reach = dict(zip(intervals.levels, map(intervals.steps, range(9)), strict=False))
    assert reach[0.9] == 2  # 37 of 41 leave out both
    assert reach[0.95] == 1
    assert calibrate([np.full((40, 1), np.nan)]) is None
    assert calibrate([np.empty((0, 1))]) is None
    assert calibrate([]) is None


def test_the_coverage_of_the_test_part() -> None:
    intervals = calibrate([np.arange(1.0, 20)[:, np.newaxis] * [1, 2]])
    errors = np.array([[18.0, 36.0], [-18.5, 1.0], [0.0, -40.0], [1.0, 0.0]])
    assert coverage_on_test(intervals, errors, ["a", "b"]) == {
        "level": 0.9,
        "one_step": {"a": 0.75, "b": 0.75},
    }
    few = calibrate([np.ones((5, 2))])
    assert coverage_on_test(few, errors, ["a", "b"]) is None
    assert coverage_on_test(None, errors, ["a", "b"]) is None
