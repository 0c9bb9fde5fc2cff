"""Cutting by length: everything once, bounded padding, bounded size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.runtime.buckets import CALL_WORK, ROWS, STEPS, VALUES, cut


def never(length: int) -> bool:
    return False


def always(length: int) -> bool:
    return True


@settings(deadline=None, max_examples=100)
@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=200),
    work=st.sampled_from([500, 30_000, 3_000_000]),
    rows=st.sampled_from([None, 1, 7]),
    at_most=st.sampled_from([None, 1, 5]),
    pads=st.sampled_from([never, always]),
)
def test_every_sequence_once_and_little_padding(lengths, work, rows, at_most, pads) -> None:  # type: ignore[no-untyped-def]
    buckets = cut(lengths, work=work, width=200, rows=rows, at_most=at_most, pads=pads)
    positions = [i for bucket in buckets for i in bucket.positions]
    assert sorted(positions) == list(range(len(lengths)))
    for bucket in buckets:
        inside = [lengths[i] for i in bucket.positions]
        assert inside == sorted(inside, reverse=True)
        assert bucket.length == inside[0]
        padding = sum(bucket.length - length for length in inside)
        assert padding <= CALL_WORK // work + inside[-1]
        assert pads is always or padding == 0
        assert len(inside) <= (rows or max(ROWS, STEPS // bucket.length))
        assert len(inside) <= (at_most or len(inside))
        assert len(inside) * bucket.length * 200 <= VALUES


def test_equal_lengths_keep_their_order_and_fill_batches() -> None:
    (bucket,) = cut([5] * 16, work=30_000, width=200, pads=never)
    assert bucket.positions == list(range(16))
    lengths = np.random.default_rng(0).integers(20, 400, 3000).tolist()
    buckets = cut(lengths, work=30_000, width=200, pads=always)
    padded = sum(bucket.length * len(bucket.positions) for bucket in buckets)
    assert sum(lengths) > 0.95 * padded
    assert len(buckets) < 1.2 * len(lengths) / ROWS


@pytest.mark.parametrize(("other", "together"), [(51, True), (45, True), (40, False), (10, False)])
def test_two_come_together_where_padding_costs_less_than_a_run(other: int, together: bool) -> None:
    # A second run costs 10 steps and those of the shorter one.
    buckets = cut([100, other], work=CALL_WORK // 10, width=1, pads=always)
    assert (len(buckets) == 1) is together


def test_a_sequence_above_all_bounds_is_alone() -> None:
    buckets = cut([VALUES, VALUES, 3], work=1000, width=10, pads=always)
    assert [bucket.positions for bucket in buckets] == [[0], [1], [2]]
