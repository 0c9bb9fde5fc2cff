"""Medians and their intervals: what they promise holds for any distribution."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.bench.statistics import FEWEST, better_of, median_estimate, paired_ratio
from lstm_export.errors import OptionError

times = st.floats(1e-7, 1e3)


@settings(deadline=None, max_examples=100)
@given(st.lists(times, min_size=1, max_size=60), st.randoms())
def test_the_interval_is_made_of_values_around_the_median(values: list[float], random) -> None:  # type: ignore[no-untyped-def]
    found = median_estimate(values)
    assert found.low <= found.value <= found.high
    assert {found.low, found.high} <= set(values)
    assert found.count == len(values)
    assert (found.confidence >= 0.95) == (len(values) >= FEWEST)
    shuffled = list(values)
    random.shuffle(shuffled)
    assert median_estimate(shuffled) == found


@pytest.mark.parametrize("count", range(1, 13))
def test_the_confidence_is_that_of_every_way_to_fall_around_the_median(count: int) -> None:
    found = median_estimate(range(count))
    below = int(found.low)
    # The interval misses where too few values, or too many, lie below the true median.
    hits = [below < sum(sides) < count - below for sides in product((0, 1), repeat=count)]
    assert found.confidence == pytest.approx(sum(hits) / 2**count)
    assert found.high == count - 1 - below
    narrower = [
        below + 1 < sum(sides) < count - below - 1 for sides in product((0, 1), repeat=count)
    ]
    assert sum(narrower) / 2**count < 0.95


@pytest.mark.parametrize(
    ("draw", "median"),
    [
        (lambda rng, size: rng.lognormal(size=size), 1.0),
        (lambda rng, size: rng.exponential(size=size), float(np.log(2))),
        (lambda rng, size: rng.standard_cauchy(size=size), 0.0),
    ],
    ids=["lognormal", "exponential", "cauchy"],
)
@pytest.mark.parametrize("count", [6, 15, 60])
def test_the_interval_holds_the_true_median(draw, median: float, count: int) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(count)
    found = [median_estimate(draw(rng, count).tolist()) for _ in range(800)]
    held = np.mean([one.low <= median <= one.high for one in found])
    assert held == pytest.approx(found[0].confidence, abs=0.025)
    # The checker can fail: half of the intervals miss a value that far away.
    assert np.mean([one.low <= median + 0.9 <= one.high for one in found]) < held


@settings(deadline=None, max_examples=50)
@given(st.lists(times, min_size=FEWEST, max_size=40), st.floats(0.1, 10))
def test_what_slows_both_of_a_pair_does_not_move_the_ratio(load: list[float], ratio: float) -> None:
    found = paired_ratio([ratio * value for value in load], load)
    assert (found.value, found.low, found.high) == pytest.approx((ratio, ratio, ratio))


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(OptionError, match="at least one"):
        median_estimate([])
    with pytest.raises(OptionError, match="make no pairs"):
        paired_ratio([1.0, 2.0], [1.0])


def test_the_better_of_two_is_the_yardstick() -> None:
    fast, slow = [1.0, 1.1, 9.0], [2.0, 2.1, 2.2]
    assert better_of(slow, fast) is fast
