"""Computed data sets: what they promise about their sequences, and the names that have a colon."""

from __future__ import annotations

import sys
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest

from lstm_export.data.embedded import EMBEDDED, dataset, known
from lstm_export.data.generated import digits
from lstm_export.data.load import load_table
from lstm_export.data.sequences.read import read_sequences
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.vocabulary import words
from lstm_export.errors import DataError, MissingExtraError


def read(name: str) -> SequenceSet:
    options = dataset(name).options
    reading = ("target", "features", "time", "series_id", "text")
    chosen = {key: options[key] for key in reading if key in options} | {"features": None}
    found = read_sequences(load_table(name), options["task"], **chosen)  # type: ignore[arg-type]
    assert found.features == tuple(options.get("features", ()))  # type: ignore[call-overload]
    assert found.notes == ()
    return found


@pytest.mark.parametrize(
    ("name", "count", "lengths"), [("sum", 1000, (2, 20)), ("sum:test", 200, (21, 60))]
)
def test_sum_is_the_sum_of_each_sequence(name: str, count: int, lengths: tuple[int, int]) -> None:
    found = read(name)
    assert found.values is not None
    assert found.numbers is not None
    assert (len(found), found.lengths.min(), found.lengths.max()) == (count, *lengths)
    sums = np.add.reduceat(found.values[:, 0], found.starts[:-1])
    np.testing.assert_allclose(sums, found.numbers[:, 0], rtol=0, atol=1e-9)
    assert 0 <= found.values.min() < 0.01 < 0.99 < found.values.max() < 1


@pytest.mark.parametrize(("name", "steps"), [("recall", 20), ("recall:1", 1), ("recall:100", 100)])
def test_recall_is_labelled_by_its_first_letter(name: str, steps: int) -> None:
    found = read(name)
    assert found.texts is not None
    assert found.labels == tuple(text[0] for text in found.texts)
    assert {len(text) for text in found.texts} == {steps + 1}
    assert [found.labels.count(letter) for letter in "ABCDEFGH"] == [250] * 8
    assert set("".join(text[1:] for text in found.texts)) == set(".abcd")


@pytest.mark.parametrize("name", ["recall:0", "recall:1001", "recall:x", "recall:", "recall:1e2"])
def test_recall_takes_a_number_of_steps(name: str) -> None:
    with pytest.raises(DataError, match=r"1 to 1000, as in recall:20"):
        load_table(name)


def test_each_step_of_tags_can_be_told_from_the_one_before() -> None:
    found = read("tags")
    assert found.values is not None
    assert found.labels is not None
    assert (len(found), found.lengths.min(), found.lengths.max()) == (400, 30, 60)
    for start, stop in pairwise(found.starts.tolist()):
        steps = np.diff(found.values[start:stop, 0], prepend=0.0)
        told = np.where(steps > 0.5, "rising", np.where(steps < -0.5, "falling", "flat"))
        assert tuple(told) == found.labels[start:stop]
    shares = [found.labels.count(label) / len(found.labels) for label in set(found.labels)]
    assert min(shares) > 0.3


def test_texts_are_told_apart_by_words_of_their_own() -> None:
    found = read("texts")
    assert found.texts is not None
    assert found.labels is not None
    assert sorted(set(found.labels)) == ["food & drink, café", "sport", "travel", "weather"]
    lengths = [sum(word[0].isalpha() for word in words(text)) for text in found.texts]
    assert (min(lengths), max(lengths)) == (3, 13)
    by_word: dict[str, set[str]] = {}
    for text, label in zip(found.texts, found.labels, strict=True):
        for word in words(text.lower()):
            by_word.setdefault(word, set()).add(label)
    for text, label in zip(found.texts, found.labels, strict=True):
        assert {label} in [by_word[word] for word in words(text.lower())]


def test_digits_have_a_test_part_of_their_own() -> None:
    pytest.importorskip("sklearn")
    train, test = read("digits"), read("digits:test")
    assert (len(train), len(test)) == (1437, 360)
    assert set(train.names).isdisjoint(test.names)
    assert set(train.lengths.tolist()) == {8}
    assert train.labels is not None
    assert test.labels is not None
    shares = [train.labels.count(digit) / test.labels.count(digit) for digit in "0123456789"]
    assert min(shares) > 3.8
    assert max(shares) < 4.2
    found = known("digits")
    assert found is not None
    assert found.test is not None
    assert found.test() == dataset("digits:test").csv()


def test_digits_say_what_they_need() -> None:
    digits._split.cache_clear()
    with (
        mock.patch.dict(sys.modules, {"sklearn": None, "sklearn.datasets": None}),
        pytest.raises(MissingExtraError, match=r"lstm-export\[digits\]"),
    ):
        load_table("digits")


def test_other_sets_have_no_test_part() -> None:
    tested = [name for name in EMBEDDED if name != "recall" and known(f"{name}:test")]
    assert tested == ["sum", "digits"]
    with pytest.raises(DataError, match="no embedded data set is called 'tags:test'"):
        dataset("tags:test")
