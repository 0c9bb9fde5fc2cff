"""Differencing and scaling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.contract import SCALERS, Scaler
from lstm_export.data.scaling import apply, difference, fit_scaling
from lstm_export.data.series import Segment
from lstm_export.errors import DataError, OptionError


def column(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)[:, np.newaxis]


def test_differences_start_anew_in_every_segment() -> None:
    values = column(1, 2, 4, 7, 11, 100, 110)
    found = difference(values, 2, [Segment("", 0, 5), Segment("", 5, 7)])
    np.testing.assert_array_equal(found, column(np.nan, np.nan, 3, 5, 7, np.nan, np.nan))
    assert difference(values, 0, [Segment("", 0, 7)]) is values


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(1, 8))
def test_differences_add_back_to_the_values(lengths: list[int], lag: int) -> None:
    ends = np.cumsum(lengths).tolist()
    segments = [Segment("", end - n, end) for end, n in zip(ends, lengths, strict=True)]
    values = np.arange(ends[-1] * 2.0).reshape(-1, 2) ** 2
    found = difference(values, lag, segments)
    for segment in segments:
        for row in range(segment.start, segment.stop):
            if row < segment.start + lag:
                assert np.isnan(found[row]).all()
            else:
                np.testing.assert_array_equal(found[row], values[row] - values[row - lag])


def test_a_negative_lag_is_refused() -> None:
    with pytest.raises(OptionError, match="got -1"):
        difference(column(1), -1, [Segment("", 0, 1)])


def test_standard_and_minmax_and_none() -> None:
    values = column(np.nan, 1, 3, 5)
    assert fit_scaling(values, "standard", ["x"]).offset == (3.0,)
    assert fit_scaling(values, "standard", ["x"]).scale == (float(np.float32(np.sqrt(8 / 3))),)
    minmax = fit_scaling(values, "minmax", ["x"])
    assert (minmax.offset, minmax.scale) == ((1.0,), (4.0,))
    assert apply(values[1:], minmax).ravel().tolist() == [0, 0.5, 1]
    none = fit_scaling(column(2, 2), "none", ["x"])
    assert (none.kind, none.offset, none.scale) == ("none", (0.0,), (1.0,))


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30).filter(lambda v: max(v) - min(v) > 1),
    st.sampled_from(SCALERS),
)
def test_scaling_is_made_of_float32_values(values: list[float], kind: Scaler) -> None:
    scaling = fit_scaling(column(*values), kind, ["x"])
    for number in (*scaling.offset, *scaling.scale):
        assert float(np.float32(number)) == number
    assert scaling.scale[0] > 0


@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("values", [(2.0, 2.0), (1e6, 1e6 + 1e-4), (0.1 * 3 - 0.2, 0.1, 0.4 - 0.3)])
def test_a_constant_column_is_named(kind: Scaler, values: tuple[float, ...]) -> None:
    both = np.column_stack([np.arange(len(values)), values])
    with pytest.raises(DataError, match="the column 'y' has the same value"):
        fit_scaling(both, kind, ["x", "y"])


def test_values_that_float32_does_not_hold_are_refused() -> None:
    with pytest.raises(DataError, match="'x' has values beyond"):
        fit_scaling(column(1, 1e39), "none", ["x"])
    with pytest.raises(DataError, match="no complete row"):
        fit_scaling(column(np.nan), "none", ["x"])
