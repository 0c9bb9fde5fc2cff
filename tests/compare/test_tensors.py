"""The parity rule: what passes, what fails, and that nothing slips through."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lstm_export.compare.histogram import LOG10_EDGES, histogram
from lstm_export.compare.rule import RELATIVE_FLOOR, TORCH_FACTOR, bound, describe
from lstm_export.compare.tensors import compare, compare_outputs
from lstm_export.errors import OptionError

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, max_side=4)
FINITE = hnp.arrays(np.float32, SHAPES, elements=st.floats(-1e6, 1e6, width=32))
ANY = hnp.arrays(np.float32, SHAPES, elements=st.floats(width=32))


def f32(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


@given(ANY)
def test_a_tensor_agrees_with_itself_whatever_it_holds(tensor: np.ndarray) -> None:
    for torch in (None, tensor):
        result = compare("y", tensor, tensor.astype(np.float64), torch)
        assert result.passed, result.reason
        assert result.max_abs_error == 0
        assert sum(result.histogram) == tensor.size
        json.dumps(result.to_dict(), allow_nan=False)


@given(FINITE, st.data())
def test_one_value_beyond_the_bound_is_found(tensor: np.ndarray, data: st.DataObject) -> None:
    reference = tensor.astype(np.float64)
    allowed = float(bound(reference).max())
    place = tuple(data.draw(st.integers(0, n - 1)) for n in tensor.shape)
    changed = tensor.copy()
    changed[place] += np.float32(3 * allowed + 1e-3 + abs(tensor[place]) * 1e-5)
    result = compare("y", changed, reference)
    assert not result.passed
    assert result.worst_index == place
    assert result.max_abs_error == abs(float(changed[place]) - reference[place])
    assert result.got == changed[place].item()
    assert str(list(place)) in result.reason


@given(FINITE, st.data(), st.sampled_from([math.nan, math.inf, -math.inf]))
def test_one_non_finite_value_is_found(
    tensor: np.ndarray, data: st.DataObject, value: float
) -> None:
    place = tuple(data.draw(st.integers(0, n - 1)) for n in tensor.shape)
    changed = tensor.copy()
    changed[place] = value
    for got, reference, torch in (
        (changed, tensor, None),
        (changed, tensor, tensor),
        (tensor, changed, None),
        (tensor, tensor, changed),
        (tensor, changed, tensor),
    ):
        result = compare("y", got, reference.astype(np.float64), torch)
        assert not result.passed
        assert result.max_abs_error == math.inf
        assert result.worst_index == place
        json.dumps(result.to_dict(), allow_nan=False)


@given(FINITE, st.integers(0, 3), st.integers(1, 2))
def test_no_shape_is_broadcast(tensor: np.ndarray, axis: int, extra: int) -> None:
    other = np.expand_dims(tensor, min(axis, tensor.ndim))
    for got, reference in (
        (tensor, other),
        (other, tensor),
        (np.repeat(other, extra + 1, 0), other),
    ):
        result = compare("y", got, reference.astype(np.float64))
        assert not result.passed
        assert "shape" in result.reason
        assert result.max_abs_error is None


@given(hnp.arrays(np.int64, SHAPES), st.data())
def test_integers_are_exact(tensor: np.ndarray, data: st.DataObject) -> None:
    assert compare("n", tensor, tensor, atol=10.0).passed
    place = tuple(data.draw(st.integers(0, n - 1)) for n in tensor.shape)
    changed = tensor.copy()
    changed[place] ^= 1
    result = compare("n", changed, tensor, atol=10.0)
    assert not result.passed
    assert result.worst_index == place


def test_the_bound_is_four_times_torchs_own_error_or_the_floor() -> None:
    reference = np.array([100.0, 1.0])
    assert bound(reference).tolist() == [RELATIVE_FLOOR * 100] * 2
    torch = f32(100.0, 1.001)
    own = abs(float(torch[1]) - 1.0)
    assert bound(reference, torch).tolist() == [TORCH_FACTOR * own] * 2
    assert compare("y", f32(100.0, 1.0039), reference, torch).passed
    result = compare("y", f32(100.0, 1.0041), reference, torch)
    assert not result.passed
    assert result.torch_max_abs_error == own
    assert result.reference_scale == 100.0


def test_fixed_tolerances_replace_the_rule_place_by_place() -> None:
    reference = np.array([100.0, 1.0])
    got = f32(100.5, 1.0)
    assert not compare("y", got, reference).passed
    assert compare("y", got, reference, atol=0.6).passed
    assert compare("y", got, reference, rtol=0.006).passed
    # The large value's tolerance is none of the small one's business.
    result = compare("y", f32(100.5, 1.1), reference, rtol=0.006)
    assert not result.passed
    assert result.worst_index == (1,)
    assert result.bound == 0.006
    assert result.max_abs_error == 0.5
    assert result.worst_error == pytest.approx(0.1)
    assert not compare("y", f32(100.0, 1.0 + 1e-6), reference, atol=0.0).passed
    assert "0.006" in describe(rtol=0.006)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_senseless_tolerances_are_refused(value: float) -> None:
    with pytest.raises(OptionError, match="rtol: expected a finite number"):
        compare("y", f32(1.0), np.ones(1), rtol=value)


def test_overflow_that_torch_shares_passes_and_is_counted() -> None:
    reference = np.array([1e39, 1.0, np.nan])
    torch = f32(np.inf, 1.0, np.nan)
    result = compare("y", f32(np.inf, 1.0, np.nan), reference, torch)
    assert result.passed
    assert (result.nan_count, result.inf_count) == (1, 1)
    assert (result.expected_nan_count, result.expected_inf_count) == (1, 1)
    assert not compare("y", f32(-np.inf, 1.0, np.nan), reference, torch).passed
    assert not compare("y", f32(np.nan, 1.0, np.inf), reference, torch).passed
    # What torch and we hold finite but the reference does not cannot be judged.
    assert not compare("y", f32(1.0), np.array([np.nan]), f32(1.0)).passed


@pytest.mark.parametrize(
    ("got", "reference", "torch", "reason"),
    [
        (np.zeros((0, 3), np.float32), np.zeros((0, 3)), None, "an empty tensor proves nothing"),
        (np.zeros(3), np.zeros(3), None, "expected dtype float32, got float64"),
        (f32(1, 2), np.ones(2), np.ones(2), "expected dtype float64, got float32"),
        (np.ones(1, np.int32), np.ones(1, np.int64), None, "expected dtype int64, got int32"),
        (f32(1.0), np.ones(1), f32(1.0, 1.0), "torch's shape is (2,)"),
        (np.ones(1, np.int32), np.ones(1), np.ones(1, np.int32), "cannot judge int32"),
        (np.array(["a"]), np.array(["a"]), None, "is not a number"),
    ],
)
def test_what_cannot_be_compared_fails_with_a_reason(
    got: np.ndarray, reference: np.ndarray, torch: np.ndarray | None, reason: str
) -> None:
    result = compare("y", got, reference, torch)
    assert not result.passed
    assert reason in result.reason
    assert result.severity == math.inf
    json.dumps(result.to_dict(), allow_nan=False)


def test_missing_and_extra_outputs_are_failures() -> None:
    a, b = f32(1.0), f32(2.0)
    results = compare_outputs({"a": a, "c": b}, {"a": a.astype(float), "b": b.astype(float)})
    assert [(r.name, r.passed) for r in results] == [("a", True), ("b", False), ("c", False)]
    assert results[1].reason == "the output is missing"
    assert results[2].reason == "there is no reference for this output"
    (judged,) = compare_outputs({"a": a}, {"a": a.astype(float)}, {})
    assert not judged.passed
    assert compare_outputs({}, {}) == ()


def test_the_worst_of_many_is_the_one_nearest_its_bound() -> None:
    reference = np.array([1.0])
    good = compare("y", f32(1.0), reference)
    near = compare("y", f32(1.0 + 1e-6), reference)
    bad = compare("y", f32(1.1), reference)
    broken = compare("y", f32(1.0, 2.0), reference)
    severities = [c.severity for c in (good, near, bad, broken)]
    assert severities == sorted(severities)
    assert severities[0] == 0
    assert severities[1] < 1 < severities[2]


def test_booleans_and_scalars_are_compared_too() -> None:
    yes, no = np.array(True), np.array(False)
    assert compare("b", yes, yes).passed
    result = compare("b", yes, no)
    assert not result.passed
    assert result.worst_index == ()


def test_the_histogram_counts_every_error_once() -> None:
    errors = np.array([0.0, 1e-13, 1e-12, 5e-7, 1.0, 1e9, np.inf, np.nan])
    counts = histogram(errors)
    assert len(counts) == len(LOG10_EDGES) + 1
    assert counts[0] == 2
    assert counts[1] == 1
    assert counts[LOG10_EDGES.index(-7) + 1] == 1
    assert counts[-1] == 3
    assert sum(counts) == errors.size


def test_a_result_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        compare("y", f32(1.0), np.ones(1)).passed = True  # type: ignore[misc]
