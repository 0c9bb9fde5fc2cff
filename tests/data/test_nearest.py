"""The nearest sequence, against distances computed pair by pair, and on public data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.data import nearest
from lstm_export.data.load import load_table
from lstm_export.data.nearest import nearest_sequences
from lstm_export.data.sequences.baselines import MAJORITY, MEAN, NEAREST, baselines
from lstm_export.data.sequences.read import read_sequences
from lstm_export.data.sequences.sequence_set import SequenceSet

Values = npt.NDArray[np.float64]


def sequence_set(
    sequences: list[Values], labels: tuple[str, ...] | None = None, numbers: Values | None = None
) -> SequenceSet:
    starts = np.cumsum([0, *map(len, sequences)])
    names = tuple(f"s{i}" for i in range(len(sequences)))
    values = np.concatenate(sequences)
    return SequenceSet(names, values, None, starts, ("x",), ("y",), labels, numbers)


def warped(a: Values, b: Values) -> float:
    """Dynamic time warping as it is written in books."""
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            before = min(total[i, j], total[i, j + 1], total[i + 1, j])
            total[i + 1, j + 1] = np.sum((a[i] - b[j]) ** 2) + before
    return float(total[-1, -1])


def random_sequences(seed: int, count: int, shortest: int, longest: int) -> list[Values]:
    random = np.random.default_rng(seed)
    lengths = random.integers(shortest, longest + 1, size=count).tolist()
    return [random.random((length, 2)) for length in lengths]


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_ragged_sequences_are_warped(seed: int, longest: int) -> None:
    train, other = random_sequences(seed, 7, 1, longest), random_sequences(seed + 1, 3, 1, longest)
    other.append(np.zeros((longest + 1, 2)))  # no two sets are equally long
    found = nearest_sequences(sequence_set(train), sequence_set(other))
    expected = [np.argmin([warped(a, b) for a in train]) for b in other]
    assert found.nearest.tolist() == expected
    assert found.asked.tolist() == [0, 1, 2, 3]
    assert found.notes == ()


def test_equal_sequences_are_compared_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    train, other = random_sequences(0, 30, 4, 4), random_sequences(1, 20, 4, 4)
    monkeypatch.setattr(nearest, "_BLOCK", 100)  # several blocks
    found = nearest_sequences(sequence_set(train), sequence_set(other))
    expected = [np.argmin([np.sum((a - b) ** 2) for a in train]) for b in other]
    assert found.nearest.tolist() == expected


@pytest.mark.parametrize("shortest", [2, 4])
def test_too_much_work_is_thinned_out_and_said(
    shortest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "MOST_WORK", 50)
    train, other = random_sequences(0, 40, shortest, 4), random_sequences(1, 20, shortest, 4)
    found = nearest_sequences(sequence_set(train), sequence_set(other))
    assert 0 < len(found.asked) < 20
    assert len(found.nearest) == len(found.asked)
    assert found.nearest.max() < 40
    assert "of 40 for training: all would take too long" in found.notes[0]


def test_baselines_of_labels_and_of_numbers() -> None:
    train, other = random_sequences(0, 4, 3, 3), random_sequences(1, 2, 3, 3)
    labels = sequence_set(train, ("b", "a", "b", "a"))
    majority, near = baselines(labels, sequence_set([train[2], train[1]], ("a", "a")))
    assert (majority.name, majority.labels) == (MAJORITY, ("a", "a"))
    assert (near.name, near.labels) == (NEAREST, ("b", "a"))
    numbers = sequence_set(train, numbers=np.array([[1.0], [2.0], [3.0], [6.0]]))
    mean, near = baselines(numbers, sequence_set([train[3], train[0]], numbers=np.zeros((2, 1))))
    assert mean.name == MEAN
    assert mean.numbers is not None
    assert mean.numbers.tolist() == [[3.0], [3.0]]
    assert near.numbers is not None
    assert near.numbers.tolist() == [[6.0], [1.0]]
    tags = sequence_set(train, ("x", "y", "y") * 4)
    (only,) = baselines(tags, sequence_set(other, ("x",) * 6))
    assert (only.labels, only.asked.tolist()) == (("y",) * 6, list(range(6)))


def share_right(train: SequenceSet, test: SequenceSet) -> float:
    (near,) = [one for one in baselines(train, test) if one.name == NEAREST]
    assert near.labels is not None
    assert test.labels is not None
    truth = [test.labels[i] for i in near.asked.tolist()]
    return sum(a == b for a, b in zip(near.labels, truth, strict=True)) / len(truth)


@pytest.mark.data
def test_what_is_published_on_public_data(shared_data: Path) -> None:
    def part(name: str, kind: str, **options: str) -> SequenceSet:
        table = load_table(shared_data / name / f"{name}_{kind}.csv")
        return read_sequences(table, "classify", target=["label"], **options)  # type: ignore[arg-type]

    italy = [part("ItalyPowerDemand", kind) for kind in ("TRAIN", "TEST")]
    assert share_right(italy[0], italy[1]) == pytest.approx(0.9553, abs=1e-4)
    vowels = [part("JapaneseVowels", kind, series_id="case") for kind in ("TRAIN", "TEST")]
    assert share_right(vowels[0], vowels[1]) == pytest.approx(0.9486, abs=1e-4)


def test_digits_by_their_pixels() -> None:
    pytest.importorskip("sklearn")
    train, test = (
        read_sequences(load_table(name), "classify", target=["digit"], series_id="id")
        for name in ("digits", "digits:test")
    )
    assert share_right(train, test) > 0.98
