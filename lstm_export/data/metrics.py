"""How well labels and numbers are answered."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Confusion = npt.NDArray[np.int64]


def confusion(
    truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], classes: int
) -> Confusion:
    """How often each true class (rows) was taken for each class (columns), (classes, classes),
    from two arrays of class numbers."""
    counts = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def accuracy(matrix: Confusion) -> float:
    """The share of right answers in a confusion matrix."""
    return float(np.trace(matrix) / matrix.sum())


def precision(matrix: Confusion) -> Floats:
    """Per class, the share of right answers among those that name it; 0 where none does."""
    return _share(np.diag(matrix), matrix.sum(axis=0))


def recall(matrix: Confusion) -> Floats:
    """Per class, the share of right answers where it is true; 0 where it never is."""
    return _share(np.diag(matrix), matrix.sum(axis=1))


def macro_f1(matrix: Confusion) -> float:
    """The mean over classes of F1 = 2·TP / (2·TP + FP + FN), the harmonic mean of precision and
    recall. Classes that are neither true nor answered anywhere do not count."""
    either = matrix.sum(axis=0) + matrix.sum(axis=1)
    return float(np.mean(2 * np.diag(matrix)[either > 0] / either[either > 0]))


def rmse(predicted: Floats, truth: Floats) -> Floats:
    """Root of the mean squared error per target: (..., targets) twice to (targets,)."""
    error = predicted - truth
    return np.asarray(np.sqrt(np.mean(error**2, axis=tuple(range(error.ndim - 1)))))


def mae(predicted: Floats, truth: Floats) -> Floats:
    """Mean absolute error per target: (..., targets) twice to (targets,)."""
    error = predicted - truth
    return np.asarray(np.mean(np.abs(error), axis=tuple(range(error.ndim - 1))))


def r2(predicted: Floats, truth: Floats) -> Floats:
    """1 − (squared error) / (squared deviation of the truth from its mean) per target:
    (rows, targets) twice to (targets,). NaN for a target whose truth never varies."""
    error = np.sum((predicted - truth) ** 2, axis=0)
    spread = np.sum((truth - truth.mean(axis=0)) ** 2, axis=0)
    share = np.divide(error, spread, out=np.full(error.shape, np.nan), where=spread > 0)
    return np.asarray(1 - share)


def _share(part: Confusion, whole: Confusion) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
