"""What streams and pools refuse, that nothing has changed then, and forks."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lstm_export.errors import InputError, OptionError
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.load import load_forecaster

Load = Callable[[str], ForecastModel]
LONG = 30
"""More steps than it takes until arrays are kept."""


def rows(*shape: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def reloaded(snapshot: Any) -> Any:
    file = io.BytesIO()
    np.savez(file, **snapshot)
    file.seek(0)
    return np.load(file)


def test_a_closed_stream_refuses(model: Load) -> None:
    direct = model("direct")
    with direct.stream() as stream:
        for row in rows(LONG, 2):
            stream.step(row)
        snapshot = stream.snapshot()
    stream.close()
    calls: list[Callable[[], Any]] = [
        lambda: stream.step(rows(2)),
        lambda: stream.run(rows(3, 2)),
        stream.reset,
        stream.snapshot,
        lambda: stream.restore(snapshot),
    ]
    for call in calls:
        with pytest.raises(InputError, match="this stream is closed: open a new one"):
            call()


def test_answers_and_snapshots_are_copies(model: Load) -> None:
    stream, x = model("direct").stream(), rows(LONG, 2)
    answers = [stream.step(row) for row in x]
    before = [answer.copy() for answer in answers]
    snapshot = stream.snapshot()
    kept = {name: array.copy() for name, array in snapshot.items()}
    stream.run(x)
    np.testing.assert_array_equal(answers, before)
    for name, array in kept.items():
        np.testing.assert_array_equal(snapshot[name], array)
    stream.restore(snapshot)
    for array in snapshot.values():
        array[...] = 0
    other = model("direct").stream()
    other.restore(kept)
    np.testing.assert_array_equal(stream.run(x), other.run(x))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("steps", [0, 1, 2, LONG])
def test_snapshots_go_on_from_a_file(model: Load, batch: int, steps: int) -> None:
    seasonal, x = model("seasonal"), rows(batch, LONG + 9, 1)
    whole = seasonal.stream(batch).run(x)
    stream, other = seasonal.stream(batch), seasonal.stream(batch)
    for t in range(steps):
        stream.step(x[:, t])
    other.run(x[:, :5])
    other.restore(reloaded(stream.snapshot()))
    rest = other.run(x[:, steps:])
    np.testing.assert_allclose(rest, whole[:, steps:], rtol=1e-5, atol=1e-5)


def test_snapshots_that_are_refused(model: Load, bundle: Callable[[str], Path]) -> None:
    seasonal = model("seasonal")
    stream, x = seasonal.stream(2), rows(2, LONG, 1)
    for t in range(LONG):
        stream.step(x[:, t])
    good = stream.snapshot()
    assert set(good) == {"model", "seen", "initial_h", "initial_c", "initial_rows"}
    h = good["initial_h"]
    bad: list[tuple[Any, str]] = [
        (model("plain").stream(2).snapshot(), "not of this model: expected model, seen, initial_h"),
        ({**good, "model": good["model"][::-1]}, "the snapshot is of another model"),
        ({**good, "model": good["model"][:3]}, "'model' is not a sha256"),
        (seasonal.stream(3).snapshot(), "a batch of 3, and this stream one of 2"),
        ({**good, "initial_h": h[:1]}, r"'initial_h' is float32 \(1, 2, 5\), expected"),
        ({**good, "initial_h": h.astype(float)}, "'initial_h' is float64"),
        ({**good, "initial_h": np.full_like(h, np.nan)}, "not finite"),
        ({**good, "seen": np.array([3, 4])}, "'seen' leaves 0 to 3"),
        ({**good, "seen": np.array([[3, 3]])}, "'seen' is int64"),
        ({name: good[name] for name in list(good)[1:]}, "got initial_c, initial_h"),
        ({}, "got nothing"),
        (None, "a mapping of names to arrays, got NoneType"),
        ([1.0], "got list"),
        ({**good, "initial_h": [[1.0], [1.0, 2.0]]}, "cannot be read"),
    ]
    other = seasonal.stream(2)
    other.restore(good)
    for snapshot, message in bad:
        with pytest.raises(InputError, match=message):
            stream.restore(snapshot)
    np.testing.assert_array_equal(stream.step(x[:, 0]), other.step(x[:, 0]))
    again = load_forecaster(bundle("seasonal")).stream(2)
    again.restore(good)  # the same model, loaded once more
    np.testing.assert_array_equal(again.snapshot()["initial_h"], h)


@pytest.mark.parametrize("steps", [0, 2, LONG])
def test_rows_are_reset_alone(model: Load, steps: int) -> None:
    seasonal, x = model("seasonal"), rows(3, LONG + 8, 1)
    forms: list[tuple[Any, list[int]]] = [
        (1, [1]),
        (np.int32(2), [2]),
        ([0, 2], [0, 2]),
        (np.array([True, False, True]), [0, 2]),
        ([False, True, False], [1]),
        ([], []),
        (None, [0, 1, 2]),
    ]
    for form, gone in forms:
        stream = seasonal.stream(3)
        for t in range(steps):
            stream.step(x[:, t])
        stream.reset(form)
        rest = np.concatenate(
            [stream.step(x[:, steps])[:, None], stream.run(x[:, steps + 1 :])], axis=1
        )
        for i in range(3):
            alone = seasonal.stream()
            if i not in gone and steps:
                alone.run(x[i, :steps])
            np.testing.assert_allclose(rest[i], alone.run(x[i, steps:]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "bad", [3, -1, [0, 3], 0.5, "0", [[0]], [True, False], [0.0], np.zeros((3, 1), bool), {}]
)
def test_rows_that_make_no_sense(model: Load, bad: Any) -> None:
    with pytest.raises(InputError, match="rows must be an index from 0 to 2"):
        model("plain").stream(3).reset(bad)


def test_a_failure_of_onnxruntime_changes_nothing(
    model: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, x = model("plain"), rows(LONG + 9, 1)
    for steps in (0, LONG):
        stream, spared = plain.stream(), plain.stream()
        for row in x[:steps]:
            stream.step(row)
            spared.step(row)

        def broken(*_: object) -> Any:
            raise RuntimeError("out of memory")

        with monkeypatch.context() as patch:
            patch.setattr("lstm_export.runtime.session.Session.live", broken)
            if steps:
                for kept in (stream._swapped, stream._lean):
                    patch.setattr(kept, "start", broken)
            for call, value in ((stream.step, x[0]), (stream.run, x)):
                with pytest.raises(InputError, match=r"stream\.onnx cannot run on .*out of mem"):
                    call(value)
        np.testing.assert_array_equal(stream.step(x[0]), spared.step(x[0]))
        np.testing.assert_array_equal(stream.run(x), spared.run(x))


def test_a_stream_that_lets_nan_through(bundle: Callable[[str], Path]) -> None:
    stream = load_forecaster(bundle("plain"), on_nonfinite="pass").stream()
    for _ in range(LONG):
        stream.step([np.nan])
    other = load_forecaster(bundle("plain"), on_nonfinite="pass").stream()
    other.restore(stream.snapshot())


def test_what_a_pool_refuses(model: Load) -> None:
    direct = model("direct")
    pool, spared, x = direct.pool(3), direct.pool(3), rows(LONG, 3, 2)
    slots = [pool.join() for _ in range(3)]
    assert slots == [spared.join() for _ in range(3)] == list(pool.slots)
    gone = slots[1]
    with pytest.raises(InputError, match="the pool is full: all 3 slots are taken"):
        pool.join()
    pool.leave(gone)
    spared.leave(gone)
    new = pool.join()
    assert new == spared.join()
    assert new not in slots  # a slot that left is never another series
    taken = [slots[0], new, slots[2]]
    bad: list[tuple[Any, str]] = [
        ({gone: x[0, 0]}, f"slot {gone} has left the pool"),
        ({99: x[0, 0]}, "slot 99 is unknown; taken are 0, 2, 3"),
        ({True: x[0, 0]}, "slot True is unknown"),
        ({"0": x[0, 0]}, "slot '0' is unknown"),
        ({taken[0]: x[0, 0], taken[1]: x[0, 0, :1]}, f"slot {new}: expected one row"),
        ({taken[0]: x[0, 0], taken[1]: [0.0, np.nan]}, f"slot {new}: nan .*feature_1"),
        (
            {taken[0]: x[0, 0], taken[1]: np.array([np.inf, 0], np.float32)},
            f"slot {new}: inf .*feature_0",
        ),
        ({taken[0]: x[0, 0], taken[1]: [0.0, 1e39]}, f"slot {new}: .* too large for float32"),
        ({taken[0]: "ab"}, f"slot {taken[0]}: expected"),
        ([x[0, 0]], "expected a mapping of slots to what each is given, got list"),
    ]
    for t in range(LONG):
        for feeds, message in bad:
            with pytest.raises(InputError, match=message):
                pool.step(feeds)
        given = dict(zip(taken, x[t], strict=True))
        if t % 2:
            del given[taken[t % 3]]
        ours, theirs = pool.step(given), spared.step(given)
        assert list(ours) == list(theirs) == list(given)
        for slot in given:
            np.testing.assert_array_equal(ours[slot], theirs[slot])
    assert pool.step({}) == {}
    for call in (pool.leave, pool.reset, pool.snapshot):
        with pytest.raises(InputError, match="has left"):
            call(gone)
    with pytest.raises(InputError, match="a batch of 3, and this stream one of 1"):
        pool.restore(new, direct.stream(3).snapshot())
    assert len(pool) == 3


@pytest.mark.parametrize("capacity", [0, -1, 1.5, True, None])
def test_capacities_that_make_no_sense(model: Load, capacity: Any) -> None:
    with pytest.raises(OptionError, match="capacity must be an integer ≥ 1"):
        model("plain").pool(capacity)
    with pytest.raises(OptionError, match="capacity must be an integer ≥ 3"):
        model("plain").pool(3).grow(2)
    with pytest.raises(OptionError, match="two directions"):
        model("bidirectional").pool(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # pytest's own threads
def test_streams_and_pools_go_on_in_a_child(model: Load) -> None:
    seasonal, x = model("seasonal"), rows(LONG + 5, 1)
    whole = seasonal.stream().run(x)
    stream, pool = seasonal.stream(), seasonal.pool(1)
    slot = pool.join()
    for row in x[:LONG]:
        stream.step(row)
        pool.step({slot: row})
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 1
        try:
            for t in range(LONG, LONG + 5):
                for answer in (stream.step(x[t]), pool.step({slot: x[t]})[slot]):
                    np.testing.assert_allclose(answer, whole[t], rtol=1e-5, atol=1e-5)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_allclose(stream.run(x[LONG:]), whole[LONG:], rtol=1e-5, atol=1e-5)
