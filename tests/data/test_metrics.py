"""Metrics against values made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.data.metrics import (
    accuracy,
    confusion,
    macro_f1,
    mae,
    precision,
    r2,
    recall,
    rmse,
)

MATRIX = np.array([[3, 1, 0, 0], [2, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def test_a_confusion_matrix_has_the_truth_in_its_rows() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    predicted = np.array([0, 0, 1, 0, 1, 0, 1, 1, 0, 1])
    found = confusion(truth, predicted, 4)
    assert found.tolist() == MATRIX.tolist()
    assert found.dtype == np.int64


def test_scores_of_a_small_matrix() -> None:
    assert accuracy(MATRIX) == 0.7
    assert precision(MATRIX).tolist() == [3 / 5, 4 / 5, 0.0, 0.0]
    assert recall(MATRIX).tolist() == [3 / 4, 4 / 6, 0.0, 0.0]
    # F1 of the two classes that occur: 6 / 9 and 8 / 11.
    assert macro_f1(MATRIX) == pytest.approx((6 / 9 + 8 / 11) / 2)


def test_a_class_that_is_never_answered_counts_as_nothing() -> None:
    matrix = np.array([[2, 0], [1, 0]])
    assert precision(matrix).tolist() == [2 / 3, 0.0]
    assert macro_f1(matrix) == pytest.approx((4 / 5 + 0) / 2)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1))
def test_f1_is_the_harmonic_mean_of_precision_and_recall(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = (np.array(one) for one in zip(*pairs, strict=True))
    matrix = confusion(truth, predicted, 5)
    p, r = precision(matrix), recall(matrix)
    f1 = [2 * p[k] * r[k] / (p[k] + r[k]) if p[k] + r[k] else 0.0 for k in set(sum(pairs, ()))]
    assert macro_f1(matrix) == pytest.approx(np.mean(f1))
    assert accuracy(matrix) == pytest.approx(np.mean(truth == predicted))
    assert matrix.sum() == len(pairs)


def test_errors_of_numbers() -> None:
    truth = np.array([[1.0, 7.0], [2.0, 7.0], [6.0, 7.0]])
    predicted = np.array([[1.0, 7.0], [4.0, 8.0], [5.0, 9.0]])
    assert rmse(predicted, truth).tolist() == [math.sqrt(5 / 3), math.sqrt(5 / 3)]
    assert mae(predicted, truth).tolist() == [1.0, 1.0]
    found = r2(predicted, truth)
    assert found[0] == pytest.approx(1 - 5 / 14)
    assert np.isnan(found[1])
    assert r2(truth, truth)[0] == 1.0
