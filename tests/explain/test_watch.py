"""What is kept of a long run: counts of everything, and a trace of bounded size."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_export.explain.watch import COLUMNS, Counts, Trace


@pytest.mark.parametrize("backward", [False, True])
def test_a_long_trace_has_the_means_of_its_steps(backward: bool) -> None:
    values = np.random.default_rng(0).normal(size=(4801, 2))
    trace = Trace(len(values), 2, backward=backward)
    for row in values[::-1] if backward else values:
        trace.add("state", row[np.newaxis])
    assert trace.values("state").shape == (COLUMNS, 2)
    for column in (0, 200, COLUMNS - 1):
        part = values[trace.edges[column] : trace.edges[column + 1]]
        np.testing.assert_allclose(trace.values("state")[column], part.mean(axis=0))


def test_a_short_trace_is_the_values_themselves() -> None:
    values = np.arange(6.0).reshape(3, 2)
    trace = Trace(3, 2, backward=False)
    for row in values:
        trace.add("state", row[np.newaxis])
    np.testing.assert_array_equal(trace.values("state"), values)


def test_gates_at_their_limits_are_counted() -> None:
    counts = Counts(3)
    counts.add(np.array([[0.0, 0.1, 1.0], [0.05, 0.9, 0.95]]))
    np.testing.assert_array_equal(counts.near_zero, [1, 0, 0])
    np.testing.assert_array_equal(counts.near_one, [0, 0, 1])
    np.testing.assert_allclose(counts.mean, [0.025, 0.5, 0.975])
    assert counts.mean_log[0] == -np.inf
