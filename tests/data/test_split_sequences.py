"""The parts of whole sequences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lstm_export.data.sequences.split import split_sequences
from lstm_export.data.split import TEST, TRAIN, VALIDATION
from lstm_export.errors import DataError, OptionError


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
    st.floats(0, 0.45),
    st.floats(0, 0.45),
    st.integers(0, 2**31),
)
def test_every_label_has_its_share_in_each_part(
    counts: list[int], validation: float, test: float, seed: int
) -> None:
    labels = [f"k{k}" for k, count in enumerate(counts) for _ in range(count)]
    try:
        part = split_sequences(labels, len(labels), validation, test, seed)
    except DataError:
        assume(False)
    assert part.dtype == np.int8
    for number, fraction in ((TEST, test), (VALIDATION, validation)):
        assert bool((part == number).any()) == bool(fraction)
        wanted = max(1, round(fraction * len(labels))) if fraction else 0
        assert (part == number).sum() <= wanted
    of_label = np.array(labels)
    for k, count in enumerate(counts):
        own = part[of_label == f"k{k}"]
        assert (own == TRAIN).any()
        if count > 5 and min(counts) > 5:
            assert abs((own == TEST).sum() - test * count) <= 1
            assert abs((own == VALIDATION).sum() - validation * count) <= 1


def test_the_parts_depend_on_the_seed_alone() -> None:
    labels = ["a", "b"] * 50
    one = split_sequences(labels, 100, 0.1, 0.2, 7)
    assert np.array_equal(one, split_sequences(labels, 100, 0.1, 0.2, 7))
    assert not np.array_equal(one, split_sequences(labels, 100, 0.1, 0.2, 8))
    assert np.bincount(one).tolist() == [70, 10, 20]


def test_without_labels_the_parts_are_random() -> None:
    part = split_sequences(None, 1000, 0.15, 0.2, 0)
    assert np.bincount(part).tolist() == [650, 150, 200]
    assert len(set(np.diff(np.flatnonzero(part == TEST)).tolist())) > 5
    assert (split_sequences(None, 5, 0.0, 0.0, 0) == TRAIN).all()


def test_too_few_sequences() -> None:
    with pytest.raises(DataError, match=r"3 sequences of 3 labels are too few for a test part"):
        split_sequences(["a", "b", "c"], 3, 0.1, 0.1, 0)
    with pytest.raises(DataError, match=r"2 sequences are too few for a validation part"):
        split_sequences(None, 2, 0.3, 0.3, 0)
    with pytest.raises(OptionError, match="leave no rows to train on"):
        split_sequences(None, 9, 0.5, 0.5, 0)
