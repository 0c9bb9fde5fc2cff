"""Streams of modules: several inputs by name, outputs with and without steps, where they start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.bundle.manifest import Provenance
from lstm_export.errors import ContractError, InputError, OptionError
from lstm_export.runtime.graph_model import GraphModel
from lstm_export.runtime.load import load

START = np.array([10.0, 20.0, 30.0])
TABLE = np.arange(15.0).reshape(5, 3)


def data(batch: int, length: int, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "value": rng.integers(-9, 9, (batch, length, 3)).astype(np.float32),
        "tokens": rng.integers(0, 5, (batch, length)),
        "bias": rng.integers(-3, 3, (batch, 3)).astype(np.float32),
    }


def expected(feeds: dict[str, Any]) -> Any:
    """The sum after every step; whole numbers, so that float32 is exact."""
    given_ = feeds["value"] + TABLE[feeds["tokens"]] + feeds["bias"][:, None]
    return START + np.cumsum(given_, axis=1)


def part(feeds: dict[str, Any], steps: Any) -> dict[str, Any]:
    return {k: v if k == "bias" else v[:, steps] for k, v in feeds.items()}


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=14),
    batch=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_any_chunking_is_one_run(sums: GraphModel, cuts: list[int], batch: int, seed: int) -> None:
    feeds = data(batch, sum(cuts), seed)
    truth = expected(feeds)
    stream, start = sums.stream(batch), 0
    for length in cuts:
        chunk = part(feeds, slice(start, start + length))
        answer: Any = stream.run(chunk) if length > 1 else stream.step(part(feeds, start))
        for name in ("every", "last"):
            got = answer[name] if length > 1 else answer[name][:, None]
            np.testing.assert_array_equal(got, truth[:, start : start + length])
        start += length
    counts = stream.snapshot()["initial_count"]
    np.testing.assert_array_equal(counts, [sum(cuts)] * batch)


def test_forms(sums: GraphModel) -> None:
    feeds = data(1, 30)
    truth = expected(feeds)[0]
    whole: Any = sums.stream().run(**feeds)
    assert whole["every"].shape == whole["last"].shape == (1, 30, 3)
    alone: Any = sums.stream().run({name: value[0] for name, value in feeds.items()})
    np.testing.assert_array_equal(alone["last"], truth)
    one: Any = sums.stream().run(part(feeds, slice(0, 1)))
    np.testing.assert_array_equal(one["last"], truth[None, :1])
    stream = sums.stream()
    for t in range(30):  # past the steps from which on arrays are kept
        step: Any = stream.step({n: v[0] for n, v in part(feeds, t).items()})
        assert step["every"].shape == step["last"].shape == (3,)
        np.testing.assert_array_equal(step["every"], truth[t])


def test_rows_reset_and_snapshots(sums: GraphModel) -> None:
    feeds = data(3, 40)
    stream = sums.stream(3)
    for t in range(20):
        stream.step(part(feeds, t))
    kept = stream.snapshot()
    stream.reset([True, False, True])
    rest: Any = stream.run(part(feeds, slice(20, 40)))
    np.testing.assert_array_equal(rest["every"][1], expected(feeds)[1, 20:])
    fresh = expected(part(feeds, slice(20, 40)))
    np.testing.assert_array_equal(rest["every"][[0, 2]], fresh[[0, 2]])
    other = sums.stream(3)
    other.restore(kept)
    again: Any = other.run(part(feeds, slice(20, 40)))
    np.testing.assert_array_equal(again["last"], expected(feeds)[:, 20:])


@pytest.mark.parametrize("independent", [True, False])
def test_pools(sums_bundle: Callable[..., Path], independent: bool) -> None:
    start = {"initial_sum": (START.tolist(),)}
    model: Any = load(sums_bundle(independent_rows=independent, stream_start=start))
    feeds, rng = data(4, 60), np.random.default_rng(1)
    truth = expected(feeds)
    pool = model.pool(4)
    slots = [pool.join() for _ in range(4)]
    at = [0] * 4
    for _ in range(80):
        chosen = [i for i in rng.permutation(4)[: rng.integers(1, 5)] if at[i] < 60]
        given_ = {
            slots[i]: {n: v[i] if n == "bias" else v[i, at[i]] for n, v in feeds.items()}
            for i in chosen
        }
        answers = pool.step(given_)
        assert list(answers) == list(given_)
        for i in chosen:
            np.testing.assert_array_equal(answers[slots[i]]["last"], truth[i, at[i]])
            at[i] += 1
    moved = model.stream()
    moved.restore(pool.snapshot(slots[2]))
    np.testing.assert_array_equal(moved.snapshot()["initial_count"], [at[2]])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"value": np.zeros((2, 4))}, r"value: expected one step of each series, \(2, 3\), got .*2, 4"),
    ({"value": np.zeros((3, 3))}, r"\(2, 3\), got shape \(3, 3\)"),
    ({"value": np.zeros(3)}, r"\(2, 3\), got shape \(3,\)"),
    ({"value": np.zeros((2, 1, 3))}, r"\(2, 3\), got shape \(2, 1, 3\)"),
    ({"value": np.full((2, 3), np.nan)}, "value: nan at"),
    ({"tokens": np.zeros(2)}, "tokens: expected int64, got float64"),
    ({"tokens": np.array([0, 9])}, "cannot run"),
    ({"bias": np.zeros((1, 3))}, r"bias: expected one step of each series, \(2, 3\)"),
    ({"biases": 1}, "no input 'biases'"),
]


@pytest.mark.parametrize("after", [0, 20])
def test_a_refused_call_changes_nothing(sums: GraphModel, after: int) -> None:
    feeds = data(2, 30)
    stream = sums.stream(2)
    for t in range(after):
        stream.step(part(feeds, t))
    for changed, message in REFUSED:
        with pytest.raises(InputError, match=message):
            stream.step({**part(feeds, after), **changed})
    chunk = part(feeds, slice(after, 30))
    short = {**chunk, "tokens": chunk["tokens"][:, :-1]}
    empty = part(feeds, slice(0, 0))
    # The last step fails inside onnxruntime, when the others were run already.
    late = {**chunk, "tokens": np.append(chunk["tokens"][:, :-1], [[7], [7]], axis=1)}
    for bad in (short, empty, late):
        with pytest.raises(InputError):
            stream.run(bad)
    rest: Any = stream.run(chunk)
    np.testing.assert_array_equal(rest["last"], expected(feeds)[:, after:])


def test_batch_axes_are_given_to_all_or_none(sums: GraphModel) -> None:
    feeds = part(data(1, 2), 0)
    with pytest.raises(InputError, match="tokens came without a batch axis"):
        sums.stream().step({**feeds, "tokens": feeds["tokens"][0]})
    with pytest.raises(InputError, match="give each by its name"):
        sums.stream().step(np.zeros(3))
    pool = sums.pool(2)
    slot = pool.join()
    with pytest.raises(InputError, match=f"slot {slot}: the model has the inputs"):
        pool.step({slot: np.zeros(3)})
    with pytest.raises(InputError, match=f"slot {slot}: value: expected one step"):
        pool.step({slot: {**feeds, "value": np.zeros((1, 2))}})


def test_a_module_that_cannot_stream_says_why(sums_bundle: Callable[..., Path]) -> None:
    silent: Any = load(sums_bundle(stream=False))
    with pytest.raises(OptionError, match=r"no stream\.onnx"):
        silent.stream()
    notes = ("a note on something else", "this module cannot stream: it looks ahead")
    told: Any = load(sums_bundle(stream=False, provenance=Provenance("test", notes=notes)))
    for call in (told.stream, lambda: told.pool(3)):
        with pytest.raises(OptionError, match=r"^this module cannot stream: it looks ahead$"):
            call()


def test_a_start_of_another_shape(sums_bundle: Callable[..., Path]) -> None:
    model: Any = load(sums_bundle(stream_start={"initial_sum": (1.0, 2.0)}))
    with pytest.raises(ContractError, match="its start has shape"):
        model.stream()
