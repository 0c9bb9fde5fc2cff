"""Streams and pools in any order of calls against the equations in float64, by the parity rule.

Every series remembers the rows that it was given since it began; at the end the oracle runs over
them in one go, and every single answer is judged by what it says there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.compare.tensors import compare
from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.nn.forecaster import Forecaster, ForecasterStream
from lstm_export.oracle.forecaster import stream as oracle_stream
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.load import load_forecaster
from lstm_export.runtime.streaming.graph import StreamGraph
from lstm_export.runtime.streaming.swapped import Swapped

Array = np.ndarray[Any, Any]


def terms_of(recurrent: Recurrent, lag: int, horizon: int) -> Forecast:
    columns = (Column("a", "m", -2.0, 3.0), Column("b", "m", -2.0, 3.0))
    return Forecast(
        features=columns,
        targets=columns[::-1],
        window=Window(context_length=6, horizon=horizon, difference=lag),
        input_scaling=Scaling("standard", (0.25, 0.5), (1.5, 2.5)),
        target_scaling=Scaling("standard", (0.5, 0.25), (2.5, 1.5)),
        recurrent=recurrent,
    )


OWN = {
    "rnn, differenced": terms_of(Recurrent("rnn", 2, 4, 2), 1, 5),
    "projected": terms_of(Recurrent("lstm", 2, 5, 2, proj_size=3), 2, 1),
}
KINDS = sorted([*OWN, "plain", "seasonal", "direct", "stacked gru"])


class Judge:
    """One model, its oracle, and every series that was fed to it so far."""

    def __init__(self, bundle: Path) -> None:
        self.model: ForecastModel = load_forecaster(bundle)
        self.terms = terms = self.model.terms
        self.width = len(terms.features)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.module = Forecaster(terms).eval()
        self.weights = {n: w.numpy() for n, w in self.module.state_dict().items()}
        self.torch = ForecasterStream(self.module).eval()

    def check(self, ends: list[Fed]) -> None:
        """Asserts that every answer to every series is right."""
        lag = self.terms.window.difference
        ours, reference, theirs = [], [], []
        for fed in ends:
            if not fed.rows:
                continue
            got = np.stack(fed.answers)
            assert np.isnan(got[:lag]).all()
            if len(fed.rows) <= lag:
                continue
            x = np.stack(fed.rows)[None]
            feeds = self._start(x[:, :lag]) | {"x": x[:, lag:]}
            ours.append(got[lag:])
            reference.append(oracle_stream(self.terms, self.weights, feeds)["output"][0])
            with torch.inference_mode():
                values = [torch.from_numpy(v) for v in (feeds.pop("x"), *feeds.values())]
                theirs.append(self.torch(*values)[0][0].numpy())
        if ours:
            joined = [np.concatenate(parts) for parts in (ours, reference, theirs)]
            result = compare("output", *joined)
            assert result.passed, result.reason

    def _start(self, rows: Array) -> dict[str, Array]:
        spec = self.terms.recurrent
        start = {"initial_h": np.zeros((spec.num_layers, 1, spec.state_size), np.float32)}
        if spec.cell == "lstm":
            start["initial_c"] = np.zeros((spec.num_layers, 1, spec.hidden_size), np.float32)
        return start | ({"initial_rows": rows} if rows.shape[1] else {})


class Fed:
    """One series since it began: its rows, and what was answered to each."""

    def __init__(self, rows: list[Array] | None = None, answers: list[Array] | None = None) -> None:
        self.rows, self.answers = rows or [], answers or []

    def copy(self) -> Fed:
        return Fed([*self.rows], [*self.answers])


@pytest.fixture(scope="module")
def judge(
    make_bundle: Callable[[Forecast], Path], bundle: Callable[[str], Path]
) -> Callable[[str], Judge]:
    judges: dict[str, Judge] = {}

    def make(kind: str) -> Judge:
        if kind not in judges:
            judges[kind] = Judge(make_bundle(OWN[kind]) if kind in OWN else bundle(kind))
        return judges[kind]

    return make


CALLS = st.one_of(
    st.tuples(st.just("run"), st.integers(1, 7)),
    st.tuples(st.just("step"), st.integers(1, 14)),
    st.tuples(st.just("reset"), st.integers(0, 7)),
    st.tuples(st.sampled_from(["save", "restore", "move"]), st.just(0)),
)


def drive_stream(judge: Judge, calls: list[tuple[str, int]], seed: int) -> None:
    rng, batch = np.random.default_rng(seed), 3
    stream = judge.model.stream(batch)
    series, ended = [Fed() for _ in range(batch)], []
    saved = stream.snapshot(), [fed.copy() for fed in series]
    for call, count in calls:
        if call == "reset":
            rows = [i for i in range(batch) if count >> i & 1]
            stream.reset(rows if count % 2 else np.isin(np.arange(batch), rows))
            for i in rows:
                ended.append(series[i])
                series[i] = Fed()
        elif call == "save":
            saved = stream.snapshot(), [fed.copy() for fed in series]
        elif call == "restore":
            stream.restore(saved[0])
            ended += series
            series = [fed.copy() for fed in saved[1]]
        elif call == "move":
            other = judge.model.stream(batch)
            other.restore(stream.snapshot())
            stream.close()
            stream = other
        else:
            x = rng.normal(size=(batch, count, judge.width)).astype(np.float32)
            if call == "run":
                output = stream.run(x)
            else:
                output = np.stack([stream.step(x[:, t]) for t in range(count)], axis=1)
            for i in range(batch):
                series[i].rows += list(x[i])
                series[i].answers += list(output[i])
    judge.check([*ended, *series])


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    calls=st.lists(CALLS, min_size=1, max_size=14),
    seed=st.integers(0, 99),
)
def test_a_stream_in_any_order(
    judge: Callable[[str], Judge], kind: str, calls: list[tuple[str, int]], seed: int
) -> None:
    drive_stream(judge(kind), calls, seed)


POOL_CALLS = st.one_of(
    st.tuples(st.just("step"), st.integers(1, 15)),
    st.tuples(st.just("all"), st.integers(1, 10)),
    st.tuples(st.sampled_from(["join", "leave", "reset", "copy", "out"]), st.integers(0, 5)),
    st.tuples(st.just("grow"), st.integers(0, 2)),
)


def drive_pool(judge: Judge, calls: list[tuple[str, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    pool = judge.model.pool(3)
    series, ended = {pool.join(): Fed() for _ in range(3)}, []
    for call, count in calls:
        slots = list(series)
        one = slots[count % len(slots)] if slots else None
        if call == "grow":
            pool.grow(pool.capacity + count)
        elif call == "join":
            if len(pool) < pool.capacity:
                series[pool.join()] = Fed()
        elif one is None:
            continue
        elif call == "leave":
            pool.leave(one)
            ended.append(series.pop(one))
        elif call == "reset":
            pool.reset(one)
            ended.append(series[one])
            series[one] = Fed()
        elif call == "copy":
            other = slots[-1]
            pool.restore(other, pool.snapshot(one))
            if other != one:
                ended.append(series[other])
                series[other] = series[one].copy()
        elif call == "out":  # into a stream of its own, a step there, and back
            stream = judge.model.stream()
            stream.restore(pool.snapshot(one))
            x = rng.normal(size=judge.width).astype(np.float32)
            series[one].rows.append(x)
            series[one].answers.append(stream.step(x))
            pool.restore(one, stream.snapshot())
        else:
            for _ in range(1 if call == "step" else count):
                chosen = [s for i, s in enumerate(slots) if call == "all" or count >> i & 1]
                rng.shuffle(chosen)
                x = rng.normal(size=(len(chosen), judge.width)).astype(np.float32)
                for slot, answer in pool.step(dict(zip(chosen, x, strict=True))).items():
                    series[slot].answers.append(answer)
                for slot, row in zip(chosen, x, strict=True):
                    series[slot].rows.append(row)
        assert pool.slots == tuple(series)
        assert len(pool) == len(series)
    judge.check([*ended, *series.values()])


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    calls=st.lists(POOL_CALLS, min_size=1, max_size=25),
    seed=st.integers(0, 99),
)
def test_a_pool_in_any_order(
    judge: Callable[[str], Judge], kind: str, calls: list[tuple[str, int]], seed: int
) -> None:
    drive_pool(judge(kind), calls, seed)


STREAM_SCRIPT = [("step", 14), ("reset", 2), ("run", 5), ("step", 12), ("save", 0), ("restore", 0)]
POOL_SCRIPT = [("all", 10), ("reset", 1), *[("step", 5)] * 14, ("grow", 1), ("join", 0), ("all", 9)]


@pytest.mark.parametrize("kind", KINDS)
def test_long_scripts(judge: Callable[[str], Judge], kind: str) -> None:
    drive_stream(judge(kind), STREAM_SCRIPT * 3, 1)
    drive_pool(judge(kind), POOL_SCRIPT * 2, 1)


def _stuck(self: Swapped) -> None:
    run(self)
    self.now = 0


def _nothing(self: StreamGraph, *_: object) -> None: ...


def _elsewhere(self: StreamGraph, carried: Any, rows: Any, some: Any) -> None:
    turned = {name: np.roll(value, 1, axis=-2) for name, value in some.items()}
    put(self, carried, rows, turned)


run, put = Swapped.run, StreamGraph.put


@pytest.mark.parametrize(
    ("where", "name", "fault"),
    [(Swapped, "run", _stuck), (StreamGraph, "put", _nothing), (StreamGraph, "put", _elsewhere)],
)
def test_a_planted_fault_is_seen(
    judge: Callable[[str], Judge],
    where: type,
    name: str,
    fault: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(where, name, fault)
    with pytest.raises(AssertionError, match="values are off"):
        drive_pool(judge("stacked gru"), POOL_SCRIPT * 2, 1)


def test_streams_and_a_pool_in_many_threads(judge: Callable[[str], Judge]) -> None:
    one = judge("seasonal")
    x = np.random.default_rng(0).normal(size=(8, 60, 1)).astype(np.float32)
    expected = [one.model.stream().run(series) for series in x]
    pool = one.model.pool(8)
    results: dict[int, list[Array]] = {}
    pooled: dict[int, list[Array]] = {}

    def work(i: int) -> None:
        stream, slot = one.model.stream(), pool.join()
        results[i] = [stream.step(row) for row in x[i]]
        pooled[i] = [pool.step({slot: row})[slot] for row in x[i]]

    threads = [Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(8):
        np.testing.assert_allclose(results[i], expected[i], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(pooled[i], expected[i], rtol=1e-5, atol=1e-5)
