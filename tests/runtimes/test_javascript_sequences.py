"""Models that classify, regress or tag, in Python and in JavaScript: the same calls, answers and
refusals; and texts cut into the same ids."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_export.contract import Vocabulary
from lstm_export.data.vocabulary import encode
from lstm_export.errors import LstmExportError

sys.path.insert(0, str(Path(__file__).parent))
from both_languages import HERE, Call, Compared, Node, With, compare

Make = Callable[..., Path]


@pytest.fixture
def compared(node: Node) -> Compared:
    """A function from a bundle and calls to Python's answers; it fails if one of Node's differs."""
    return partial(compare, node)


def series(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    "kind",
    [
        {"task": "classify", "cell": "gru"},
        {"task": "regress", "cell": "gru", "pooling": "sum", "bidirectional": True},
        {"task": "tag", "bidirectional": True},
    ],
    ids=str,
)
def test_models_of_numbers_answer_as_in_python(
    make_sequences: Make, compared: Compared, kind: dict[str, Any]
) -> None:
    x, ragged = series(3, 9, 3), [series(n, 3, seed=n) for n in (4, 9, 1, 9, 5)]
    hole = x.copy()
    hole[1, 2, 0] = np.nan
    calls: list[Call] = [
        ("run", x),
        ("run", x[0]),
        ("run", {"x": ragged}),
        ("run", ragged * 4),
        ("run", [x[0], x[1]]),
        ("run", hole, With(lengths=np.array([9, 2, 5]))),
        ("classify" if kind["task"] != "tag" else "tag", ragged),
        ("classify" if kind["task"] != "tag" else "tag", x[0]),
        ("run", hole),
        ("run", x[:, :, :2]),
        ("run", x[:, :0]),
        ("run", []),
        ("run", "the cat"),
        ("run", ["the cat"]),
        ("run", x, With(lengths=np.array([9, 10, 2]))),
        ("stream", 3),
    ]
    if kind["task"] == "classify":
        calls += [
            ("tag", x),
            ("stream.step", x[:, 0]),
            ("stream.run", x[:, 1:4]),
            ("stream.run", hole[:, 2:]),
            ("stream.run", x[:, 4:]),
            ("stream.step", x[0, 0]),
        ]
    if kind["task"] == "regress":  # has no labels to give
        calls = [call for call in calls if call[0] != "classify"]
    answers = compared(make_sequences(**kind) / "bundle", calls)
    assert sum(not isinstance(answer, LstmExportError) for answer in answers) > 5


def test_a_tagger_of_texts_answers_and_refuses_as_in_python(
    make_sequences: Make, compared: Compared
) -> None:
    text, ids = "The cat sat, the dog", np.array([[1, 2, 3], [3, 0, 1]])
    calls: list[Call] = [
        ("run", text),
        ("run", [text, "cat"]),
        ("run", {"x": text}),
        ("run", ids),
        ("run", ids[0]),
        ("run", [ids[0], ids[1, :1]]),
        ("run", np.array([[1, 2], [3, 9]]), With(lengths=np.array([2, 1]))),
        ("tag", text),
        ("tag", [text, "cat"]),
        ("tag", ids),
        ("stream", 1),
        ("stream.run", text),
        ("stream.step", "cat"),
        ("stream.step", 3),
        ("stream.step", "the cat"),
        ("stream.step", 4),
        ("stream.step", ids),
        ("stream.run", ids),
        ("stream.step", 0),
        ("stream", 2),
        ("stream.step", "cat"),
        ("stream.run", "cat"),
        ("stream.run", ids),
        ("run", ""),
        ("run", ["the", " "]),
        ("run", ["the", ids[0]]),
        ("run", []),
        ("run", ids + 1),
        ("run", ids - 1),
        ("run", ids.astype(np.float32)),
        ("run", ids[np.newaxis]),
        ("run", ids[:, :0]),
        ("run", text, With(lengths=np.array([2]))),
        ("classify", text),
        ("run", {"y": text}),
    ]
    answers = compared(make_sequences("tag", text=True) / "bundle", calls)
    assert sum(not isinstance(answer, LstmExportError) for answer in answers) > 12


TEXTS = (
    "Café-bar, 3.5€!",
    "Cafe\u0301 CAFÉ",
    "ΟΔΟΣ İstanbul straße",
    "tab\tnew\nline\u00a0space\u3000wide\u200bzero\u0085next",
    "😀 a😀b ﬁ “quoted” a_b c+d",
    "",
)


@pytest.mark.parametrize("level", ["character", "word"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_texts_are_cut_into_the_same_ids(
    node: Callable[..., str], level: Any, lowercase: bool
) -> None:
    characters = sorted({*"".join(TEXTS), *"".join(TEXTS).lower(), "é", "É"})
    words = ["café", "Café", "-", ",", "3", ".", "€", "straße", "ﬁ", "😀", "_", "next", "οδος"]
    vocabulary = Vocabulary(level, lowercase, tuple(characters if level != "word" else words))
    described = {"level": level, "lowercase": lowercase, "symbols": vocabulary.symbols}
    given = json.dumps({"vocabulary": described, "texts": TEXTS})
    found = json.loads(node(HERE / "encode.mjs", given=given))
    assert found == [encode(vocabulary, text).tolist() for text in TEXTS]
