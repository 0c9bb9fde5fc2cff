"""The nearest training sequence: the baseline that a classifier of sequences has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_export.data.sequences.sequence_set import Indices, SequenceSet

Values = npt.NDArray[np.float64]

MOST_WORK = 500_000_000
"""Pairs of numbers that are compared, about: some five seconds."""

_BLOCK = 4_000_000
"""Numbers of the largest array that is made on the way."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest training sequence of each one that was asked for."""

    asked: Indices
    """Which sequences were asked for: all, or evenly spaced ones where all were too much work."""
    nearest: Indices
    """Of each of them, the position of the nearest among the training sequences."""
    notes: tuple[str, ...]


def nearest_sequences(train: SequenceSet, other: SequenceSet) -> Neighbours:
    """For each sequence of `other` (values, not texts) the nearest of `train`; the first of equals.

    Where all sequences are equally long, by the Euclidean distance over all steps and features.
    Else by dynamic time warping, the dependent variant, in which all features are warped as one:
    the least sum, over a path of steps (1, 0), (0, 1) and (1, 1) from the first pair of rows to
    the last, of the squared Euclidean distance between the rows, without a window (Shokoohi-Yekta
    et al., 2017, Generalizing DTW to the multi-dimensional case requires an adaptive approach:
    DTW_D).

    Values are compared as they are, in raw units. Above MOST_WORK, both sets are thinned out
    evenly, and a note says so.
    """
    lengths = np.concatenate([train.lengths, other.lengths])
    equal = bool((lengths == lengths[0]).all())
    kept, asked, notes = _thinned(train, other, equal=equal)
    if len(kept) < len(train):
        train = train.take(kept)
    if len(asked) < len(other):
        other = other.take(asked)
    found = _euclidean(train, other) if equal else _warped(train, other)
    return Neighbours(asked, kept[found], notes)


def _thinned(
    train: SequenceSet, other: SequenceSet, *, equal: bool
) -> tuple[Indices, Indices, tuple[str, ...]]:
    """Which sequences of each set are compared, and a note where these are not all."""
    width = train.values.shape[1] if train.values is not None else 1
    if equal:
        pair = float(train.lengths[0]) * width / 20  # a product of matrices is that much faster
    else:
        pair = float(train.lengths.mean() * other.lengths.mean()) * (width + 4)
    share = min(1.0, (MOST_WORK / (pair * len(train) * len(other))) ** 0.5)
    kept, asked = (
        np.linspace(0, len(one) - 1, max(1, int(share * len(one)))).round().astype(np.int64)
        for one in (train, other)
    )
    if share == 1.0:
        return kept, asked, ()
    note = (
        f"the nearest sequences are those of {len(asked):,} of {len(other):,} sequences among "
        f"{len(kept):,} of {len(train):,} for training: all would take too long"
    )
    return kept, asked, (note,)


def _euclidean(train: SequenceSet, other: SequenceSet) -> Indices:
    known, asked = _flat(train), _flat(other)
    found = np.empty(len(other), dtype=np.int64)
    step = max(1, _BLOCK // len(known))
    for i in range(0, len(asked), step):
        # |a − b|² without |b|², which is the same for all a.
        distance = (known**2).sum(axis=1) - 2 * asked[i : i + step] @ known.T
        found[i : i + step] = np.argmin(distance, axis=1)
    return found


def _flat(sequences: SequenceSet) -> Values:
    assert sequences.values is not None
    return sequences.values.reshape(len(sequences), -1)


def _warped(train: SequenceSet, other: SequenceSet) -> Indices:
    assert train.values is not None
    assert other.values is not None
    longest = int(train.lengths.max())
    found = np.empty(len(other), dtype=np.int64)
    for i, length in enumerate(other.lengths.tolist()):
        asked = other.values[other.starts[i] : other.starts[i + 1]]
        step = max(1, _BLOCK // (length * longest * asked.shape[1]))
        distances = [
            _warped_distances(train.take(np.arange(k, min(k + step, len(train)))), asked)
            for k in range(0, len(train), step)
        ]
        found[i] = np.argmin(np.concatenate(distances))
    return found


def _warped_distances(train: SequenceSet, asked: Values) -> Values:
    """The distance of every training sequence to `asked` (rows, features), (sequences,)."""
    assert train.values is not None
    cost = ((train.values[:, np.newaxis] - asked) ** 2).sum(axis=-1)
    rows, columns, count = int(train.lengths.max()), len(asked), len(train)
    sequence = np.repeat(np.arange(count), train.lengths)
    step = np.arange(len(train.values)) - train.starts[sequence]
    # The cost of the pair (i, j) lies on the antidiagonal i + j, at i: all pairs of one depend on
    # the two antidiagonals before it alone. Beyond a sequence's end nothing counts.
    diagonal = np.zeros((rows + columns - 1, rows, count))
    for j in range(columns):
        diagonal[step + j, step, sequence] = cost[:, j]
    distances = np.empty(count)
    last = train.lengths - 1 + columns - 1
    before, two_before = np.full((2, rows + 1, count), np.inf)
    for k in range(rows + columns - 1):
        current = np.full((rows + 1, count), np.inf)
        least = np.minimum(np.minimum(before[:-1], before[1:]), two_before[:-1])
        low, high = max(0, k - columns + 1), min(k, rows - 1) + 1
        current[low + 1 : high + 1] = diagonal[k, low:high] + (least[low:high] if k else 0.0)
        ends = np.flatnonzero(last == k)
        distances[ends] = current[train.lengths[ends], ends]
        before, two_before = current, before
    return distances
