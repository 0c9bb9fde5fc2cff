"""Models of sequences in the runtime: every way of giving `x`, judged by the oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_export.bundle.layout import LAYOUT
from lstm_export.checkpoint import read_checkpoint
from lstm_export.errors import BundleError, InputError, OptionError
from lstm_export.oracle import sequences as oracle
from lstm_export.runtime import answer_model, answer_rows, chunks
from lstm_export.runtime.answer_model import AnswerModel
from lstm_export.runtime.label_model import LabelModel
from lstm_export.runtime.load import load, load_forecaster

Make = Callable[..., Path]
LENGTHS = (5, 1, 9, 9, 30, 2)
KINDS: tuple[dict[str, Any], ...] = (
    {"task": "classify", "cell": "gru"},
    {"task": "classify", "pooling": "mean", "bidirectional": True},
    {"task": "classify", "text": True},
    {"task": "regress", "cell": "rnn", "pooling": "max", "text": True},
    {"task": "tag", "text": True},
    {"task": "tag", "bidirectional": True},
)
STREAMED = [kind for kind in KINDS if not {"bidirectional", "pooling"} & set(kind)]


def opened(folder: Path) -> AnswerModel:
    model = load(folder / "bundle")
    assert isinstance(model, AnswerModel)
    return model


def sequences_for(model: AnswerModel) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    if model.terms.vocabulary is not None:
        return [rng.integers(model.terms.vocabulary.size, size=n) for n in LENGTHS]
    width = len(model.terms.features)
    return [3 * rng.normal(size=(n, width)).astype(np.float32) for n in LENGTHS]


def truth_of(folder: Path, xs: Sequence[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """The oracle's answer to each sequence alone."""
    checkpoint = read_checkpoint(folder / "run")
    terms = checkpoint.description.sequence_terms
    return [oracle.answer(terms, checkpoint.weights, x[np.newaxis])[0] for x in xs]


def require(got: Any, truth: Sequence[np.ndarray[Any, Any]]) -> None:
    for one, right in zip(got, truth, strict=True):
        assert one.dtype == np.float32
        assert one.shape == right.shape
        assert np.abs(one - right).max() < 1e-5 * max(1, np.abs(right).max())


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("long", [False, True])
def test_every_way_of_giving_sequences_answers_each_as_if_alone(
    make_sequences: Make, kind: dict[str, Any], long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_sequences(**kind)
    model = opened(folder)
    xs = sequences_for(model)
    truth = truth_of(folder, xs)
    if long:  # what is long is cut into chunks where the model streams
        monkeypatch.setattr(chunks, "CHUNK", 300)
        for module in (answer_model, answer_rows, chunks):
            monkeypatch.setattr(module, "LONG", 10)
    require(model(xs), truth)
    require([model(x) for x in xs], truth)
    require(list(model.map(iter(xs))), truth)
    require(model({"x": [x.tolist() for x in xs]}), truth)
    for _ in range(10):  # later calls take a shorter way
        require(model(np.stack(xs[2:4])), truth[2:4])
    padded = np.zeros((len(xs), max(LENGTHS), *xs[0].shape[1:]), xs[0].dtype)
    for row, x in zip(padded, xs, strict=True):
        row[len(x) :] = -9 if x.dtype == np.int64 else np.nan
        row[: len(x)] = x
    require(model(padded, lengths=LENGTHS), truth)


@pytest.mark.parametrize("kind", STREAMED, ids=str)
def test_a_stream_answers_after_every_step_whatever_the_chunks(
    make_sequences: Make, kind: dict[str, Any]
) -> None:
    folder = make_sequences(**kind)
    model = opened(folder)
    x = sequences_for(model)[4]
    after = truth_of(folder, [x[: t + 1] for t in range(len(x))])
    truth = [one if model.terms.pooling else one[-1] for one in after]
    stream = model.stream()
    require([stream.step(row) for row in x], truth)
    stream.reset()
    require([*stream.run(x[:7]), *stream.run(x[7:])], truth)
    pool = model.pool(2)
    first, second = pool.join(), pool.join()
    pool.step({first: x[0]})
    answers = pool.step({second: x[0], first: x[1]})
    require([answers[second], answers[first]], truth[:2])
    assert model.stream(3).step(np.stack([x[0]] * 3)).shape == (3, model.terms.width)


def test_labels_are_those_of_the_training_data(make_sequences: Make) -> None:
    folder = make_sequences("classify", cell="gru")
    model = opened(folder)
    assert isinstance(model, LabelModel)
    assert model.classes == ("x", "y", "z|z")
    xs = sequences_for(model)
    likeliest = [model.classes[int(one.argmax())] for one in truth_of(folder, xs)]
    assert len(set(likeliest)) > 1
    assert model.classify(xs) == likeliest
    assert model.classify(xs[0]) == likeliest[0]
    with pytest.raises(OptionError, match="call classify"):
        model.tag(xs)


def test_tags_are_one_for_every_step(make_sequences: Make) -> None:
    folder = make_sequences("tag", text=True)
    model = opened(folder)
    assert isinstance(model, LabelModel)
    text = "The CAT sat, the dog"
    ids = np.array([1, 2, 3, 0, 1, 0])  # the comma is a word, and so is what it never saw
    tags = model.tag(text)
    assert tags == [model.classes[int(p.argmax())] for p in truth_of(folder, [ids])[0]]
    assert model.tag([text, "cat"]) == [tags, model.tag("cat")]
    assert np.array_equal(model(text), model(ids))
    assert model.tag(np.stack([ids, ids])) == [tags, tags]
    assert np.array_equal(model.stream().run(text), model.stream().run(ids))
    with pytest.raises(OptionError, match="call tag"):
        model.classify(text)


def test_one_feature_needs_no_axis(make_sequences: Make) -> None:
    folder = make_sequences("regress", features=1)
    model = opened(folder)
    x = np.linspace(-1, 1, 6)
    require([model(x), model(x[:, np.newaxis])], truth_of(folder, [x[:, np.newaxis]] * 2))
    require(model([x, x[:2]]), truth_of(folder, [x[:, np.newaxis], x[:2, np.newaxis]]))


def test_a_graph_alone_works_by_its_contract(make_sequences: Make) -> None:
    folder = make_sequences("classify", cell="gru")
    model = load(folder / "bundle" / LAYOUT.model)
    assert isinstance(model, LabelModel)
    xs = sequences_for(model)
    require(model(xs), truth_of(folder, xs))
    with pytest.raises(OptionError, match="load the bundle folder"):
        model.stream()


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (np.zeros((2, 4, 5)), r"expected 3 values per step \(a, b, c\), got 5"),
        (np.zeros((0, 3)), "x is empty"),
        (np.zeros(3), "rank 1 is for models of one feature"),
        ("the cat", "x is a text, and this model reads rows of numbers: a, b, c"),
        (["the cat"], "x is a text"),
        ([], "x is an empty list"),
        ([np.zeros((2, 3)), np.full((3, 3), np.nan)], r"x\[1\]: nan at step 0, feature 'a'"),
        ({"y": np.zeros((2, 3))}, "the model has no input 'y'"),
    ],
)
def test_what_a_model_of_numbers_refuses(make_sequences: Make, x: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        opened(make_sequences("classify", cell="gru"))(x)


@pytest.mark.parametrize(
    ("x", "told"),
    [
        ("", "x is '', which has no word"),
        (["the", " "], r"x\[1\] is ' ', which has no word"),
        (["the", [1]], "a list of texts, or of ids, got both"),
        ([], "empty list"),
        (np.array([1, 4]), r"the id 4 at \[1\] is none of this model's: expected 0 to 3"),
        (np.array([[1, -1]]), r"the id -1 at \[0, 1\]"),
        ([np.array([1]), np.array([9, 1])], r"x\[1\]: the id 9"),
        (np.array([1.0]), "expected a text, or ids .* got float64"),
        (np.zeros((2, 2, 2), int), "got shape"),
        (np.zeros((2, 0), int), "x is empty"),
    ],
)
def test_what_a_model_of_texts_refuses(make_sequences: Make, x: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        opened(make_sequences("tag", text=True))(x)


def test_what_a_stream_of_texts_refuses_leaves_it_as_it_was(make_sequences: Make) -> None:
    model = opened(make_sequences("tag", text=True))
    stream, other = model.stream(), model.stream()
    stream.step(1)
    other.step("the")
    for wrong in ("the cat", 4, -1, [1, 2], 1.5, ""):
        with pytest.raises(InputError, match="x_t"):
            stream.step(wrong)
    with pytest.raises(InputError, match="chunk"):
        stream.run([[1], [2]])
    pool = model.pool(1)
    slot = pool.join()
    with pytest.raises(InputError, match=f"slot {slot}: the id 4"):
        pool.step({slot: np.array(4)})
    assert np.array_equal(stream.step(2), other.step("cat"))


def test_what_needs_whole_sequences_does_not_stream(make_sequences: Make) -> None:
    two = opened(make_sequences("tag", bidirectional=True))
    with pytest.raises(OptionError, match="in two directions: it needs whole sequences"):
        two.stream()
    pooled = opened(make_sequences("regress", cell="rnn", pooling="max", text=True))
    with pytest.raises(OptionError, match="the max over all steps"):
        pooled.stream()


def test_it_is_no_forecaster(make_sequences: Make) -> None:
    with pytest.raises(BundleError, match="is no forecaster"):
        load_forecaster(make_sequences("classify", cell="gru") / "bundle")


def test_nan_has_no_label(make_sequences: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(make_sequences("classify", cell="gru") / "bundle", on_nonfinite="pass")
    assert isinstance(model, LabelModel)
    monkeypatch.setattr(LabelModel, "__call__", lambda *_, **__: np.array([0.1, np.nan, 0.2]))
    with pytest.raises(InputError, match="no likeliest class"):
        model.classify(np.full((4, 3), np.nan))
