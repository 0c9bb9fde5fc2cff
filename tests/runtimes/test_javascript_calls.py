"""The same calls in Python and in JavaScript: the same numbers, the same refusals."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_export.bundle.golden import GoldenCase, read_golden
from lstm_export.bundle.read import open_bundle
from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.errors import LstmExportError

sys.path.insert(0, str(Path(__file__).parent))
from both_languages import Call, Compared, Node, With, compare

BUNDLES = sorted((Path(__file__).resolve().parents[2] / "artifacts").glob("*/bundle"))


@pytest.fixture
def compared(node: Node) -> Compared:
    """A function from a bundle and calls to Python's answers; it fails if one of Node's differs."""
    return partial(compare, node)


def golden(bundle: Path, graph: str) -> list[GoldenCase]:
    cases = read_golden(open_bundle(bundle).read("golden.npz"), "golden.npz")
    return [case for case in cases if case.graph == graph]


def terms_of(
    features: int, *, two: bool = False, difference: int = 0, horizon: int = 1
) -> Forecast:
    columns = tuple(Column(f"feature_{i}", "m", -2.0, 3.0) for i in range(features))
    scaling = Scaling("standard", (0.25,) * features, (1.5,) * features)
    window = Window(context_length=6, horizon=horizon, difference=difference)
    recurrent = Recurrent("lstm", features, 5, bidirectional=two)
    target = Scaling("standard", (0.25,), (1.5,))
    return Forecast(columns, columns[:1], window, scaling, target, recurrent)


KINDS = {
    "one feature": terms_of(1),
    "known beside it": terms_of(2, difference=2),
    "two directions": terms_of(1, two=True, difference=1),
    "at once": terms_of(1, horizon=3),
}


def series(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_forecasters_answer_as_in_python(
    kind: str, make_bundle: Callable[[Forecast], Path], compared: Compared
) -> None:
    width = len(KINDS[kind].features)
    x, ragged = series(3, 9, width), [series(n, width, seed=n) for n in (4, 9, 3, 9, 5, 7)]
    future = With(future={"feature_1": series(4)})
    calls: list[Call] = [
        ("run", x),
        ("run", x[0]),
        ("run", x.astype(np.float64)),
        ("run", ragged),
        ("run", ragged * 7),
        ("run", x, With(lengths=np.array([9, 4, 5]))),
        ("run", {"x": x}),
        *(("forecast", given, n) for given in (x, x[0], ragged) for n in (1, 3, 5)),
        ("forecast", x, 4, future),
        ("forecast", ragged, 4, With(future={"feature_1": series(6, 4)})),
        ("forecast", x, 4, With(future={"feature_0": series(4)})),
        ("forecast", x, 5, With(future={"feature_1": series(3)})),
        ("forecast", x, 4, With(future={"feature_1": series(2, 4)})),
        ("forecast", x, 4, With(future={})),
        ("forecast", x, 1, With(coverage=0.9)),
        ("stream", 3),
    ]
    if not KINDS[kind].recurrent.bidirectional:
        calls += [
            ("stream.step", x[:, 0]),
            ("stream.run", x[:, 1:4]),
            ("stream.reset", [1]),
            ("stream.run", x[:, 4:]),
            ("stream.step", x[0, 0]),
            ("stream.run", x[:2]),
            ("stream.reset", 3),
            ("stream", 1),
            ("stream.run", x[0]),
            ("stream.step", x[0, 0]),
        ]
    answers = compared(make_bundle(KINDS[kind]), calls)
    assert sum(not isinstance(answer, LstmExportError) for answer in answers) > 9


def test_refusals_are_those_of_python(
    make_bundle: Callable[[Forecast], Path], compared: Compared
) -> None:
    x = series(2, 5, 2)
    hole, endless, large = x.copy(), x.copy(), x.astype(np.float64)
    hole[1, 2, 0], endless[0, 4, 1], large[0, 1, 1] = np.nan, np.nan, 1e39
    endless[1, 0, 0] = np.nan
    calls: list[Call] = [
        ("run", hole),
        ("run", endless),
        ("run", large),
        ("run", x[:, :, :1]),
        ("run", x[:, :2]),
        ("run", x[:, :0]),
        ("run", x[0, 0]),
        ("run", x[np.newaxis]),
        ("run", []),
        ("run", [x[0], hole[1]]),
        ("run", [x[0], x[0, :2]]),
        ("run", [[[1.5, 2.5]] * 3, [[1.5]] * 3]),
        ("run", [[1.5, 2.5], [1.5]]),
        ("run", {"x": x, "z": x}),
        ("run", x, With(lengths=np.array([5, 6]))),
        ("run", x, With(lengths=np.array([5, 1]))),
        ("run", x, With(lengths=np.array([5]))),
        ("run", x, With(lengths=np.array([5.0, 4.0], np.float32))),
        ("run", [x[0]], With(lengths=np.array([5]))),
        ("run", x[0], With(lengths=np.array([5]))),
        ("forecast", x, 0),
        ("forecast", x, 3),
        ("forecast", x, 1, With(coverage=1.5)),
        ("stream", 0),
    ]
    answers = compared(make_bundle(KINDS["known beside it"]), calls)
    assert all(isinstance(answer, LstmExportError) for answer in answers)


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.parent.name)
def test_golden_bundles_answer_as_in_python(bundle: Path, compared: Compared) -> None:
    calls = [("run", dict(case.inputs)) for case in golden(bundle, "model.onnx")]
    answers = compared(bundle, calls)
    assert not any(isinstance(answer, LstmExportError) for answer in answers)


def test_modules_answer_and_refuse_as_in_python(compared: Compared) -> None:
    x, lists = series(2, 5, 3), [series(n, 3, seed=n) for n in (5, 2, 5)]
    tokens = np.array([[1, 2, 3], [4, 5, 6]])
    by_name: dict[str, list[Call]] = {
        "classifier": [
            ("run", lists),
            ("run", x, With(lengths=np.array([5, 2]))),
            ("run", {"x": x, "lengths": np.array([5, 2], np.int32)}),
            ("run", {"x": x, "lengths": np.array([5, 2, 1])}),
            ("run", {"x": x, "lengths": np.array([5.0, 2.0])}),
            ("run", {"x": x, "size": x}),
            ("run", x),
            ("run", [x[0], x[0, :, :2]]),
            ("run", lists, With(lengths=np.array([5, 2, 5]))),
            ("stream", 1),
        ],
        "tokens": [
            ("run", tokens),
            ("run", tokens.astype(np.int32)),
            ("run", [tokens[0], tokens[1, :2]]),
            ("run", tokens.astype(np.float32)),
            ("run", tokens[0]),
            ("stream", 2),
            ("stream.run", tokens),
            ("stream.step", tokens[:, 0]),
            ("stream.step", tokens[:1, 0]),
            ("stream.step", tokens),
            ("stream.run", tokens.astype(np.float32)),
            ("stream", 1),
            ("stream.run", tokens[0]),
            ("stream.step", tokens[0, :1]),
        ],
        "states": [
            ("run", {"x": x, "initial_h": series(2, 2, 6)}),
            ("run", {"x": x, "initial_h": series(2, 3, 6)}),
            ("run", {"x": np.full_like(x, np.nan), "initial_h": series(2, 2, 6)}),
            ("run", x, With(lengths=np.array([5, 2]))),
            ("stream", 2),
            ("stream.run", x[:, :2]),
            ("stream.step", x[:, 2]),
            ("stream.step", x[:, 2, :2]),
            ("stream.reset", [False, True]),
            ("stream.run", {"x": x}),
            ("stream.run", {"y": x}),
        ],
        "projected": [("run", lists), ("run", x), ("stream", 2), ("stream.run", x)],
    }
    for bundle in BUNDLES:
        if bundle.parent.name in by_name:
            compared(bundle, by_name[bundle.parent.name])
