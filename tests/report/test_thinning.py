import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.report.thinning import thin


@given(st.integers(0, 5000), st.integers(4, 300), st.integers(0, 2**32 - 1))
def test_ends_extremes_and_the_limit_are_kept(rows: int, limit: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=rows)
    positions = thin(values, limit)
    assert len(positions) <= max(limit, 0)
    assert np.all(np.diff(positions) > 0)
    if rows:
        assert positions[0] == 0
        assert positions[-1] == rows - 1
        assert values[positions].max() == values.max()
        assert values[positions].min() == values.min()


def test_a_short_series_is_left_alone() -> None:
    assert thin(np.arange(7.0), 10).tolist() == list(range(7))


def test_missing_values_hide_no_peak() -> None:
    values = np.full(10_000, np.nan)
    values[4321] = 5.0
    assert 4321 in thin(values, 100)
