"""Runtimes in processes of their own: the wire, and what becomes of those that die or hang."""

from __future__ import annotations

import contextlib
import io
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.bundle.golden import read_golden
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.read import open_bundle
from lstm_export.parity.frames import DTYPES, FrameError, read, written
from lstm_export.parity.runtimes.isolated import Isolated
from lstm_export.parity.runtimes.registry import (
    CrashedError,
    HungError,
    RefusedError,
    Subject,
    UnansweredError,
    adapter,
)

WORKER = """
import sys
from lstm_export.parity.frames import read, written
out = sys.stdout.buffer
def answer(message):
    out.write(message); out.flush()
"""


def worker(folder: Path, body: str) -> list[str]:
    path = folder / "worker.py"
    path.write_text(WORKER + textwrap.dedent(body))
    return [sys.executable, str(path)]


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=4), st.data())
def test_tensors_come_through_as_they_are(
    dtype: str, shape: list[int], data: st.DataObject
) -> None:
    count = int(np.prod(shape, dtype=int))
    body = data.draw(st.binary(min_size=8 * count, max_size=8 * count))
    array = np.frombuffer(body, np.uint8)[: count * np.dtype(dtype).itemsize].view(dtype)
    array = array.reshape(shape)
    message = read(io.BytesIO(written("run", {"x": array, "y_1": np.float32(2)})))
    assert message is not None
    assert message.word == "run"
    assert message.tensors["x"].dtype == array.dtype
    assert message.tensors["x"].shape == array.shape
    assert message.tensors["x"].tobytes() == array.tobytes()
    assert message.tensors["y_1"].shape == ()


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_anything_else_is_no_message(data: st.DataObject) -> None:
    whole = written("ok", {"y": np.arange(6, dtype=np.float32).reshape(2, 3)})
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(FrameError):
        read(io.BytesIO(cut))
    place, byte = data.draw(st.integers(0, 23)), data.draw(st.binary(min_size=1, max_size=1))
    with contextlib.suppress(FrameError):
        read(io.BytesIO(whole[:place] + byte + whole[place + 1 :]))


def test_what_no_line_can_say_is_refused() -> None:
    for name, array in (
        ("a b", np.zeros(1)),
        ("", np.zeros(1)),
        ("é", np.zeros(1)),
        ("x", np.array("s")),
    ):
        with pytest.raises(FrameError, match="expected"):
            written("run", {name: array})


def test_a_runtime_answers_run_after_run(tmp_path: Path) -> None:
    runtime = Isolated(
        "double",
        worker(
            tmp_path,
            """
        answer(written("ready"))
        while (message := read(sys.stdin.buffer)) is not None:
            print("not to be taken for an answer", file=sys.stderr)
            if message.tensors["x"].size > 3:
                answer(written("failed", text="too large, says the runtime"))
            else:
                answer(written("ok", {"y": 2 * message.tensors["x"]}))
    """,
        ),
    )
    for size in (1, 3):
        assert runtime({"x": np.ones(size)})["y"].tolist() == [2.0] * size
    with pytest.raises(RefusedError, match="double: too large, says the runtime"):
        runtime({"x": np.ones(4)})
    assert runtime({"x": np.ones(2)})["y"].tolist() == [2.0, 2.0]
    runtime.close()


def test_a_model_that_is_refused(tmp_path: Path) -> None:
    command = worker(tmp_path, 'answer(written("refused", text="no such operator"))')
    with pytest.raises(RefusedError, match="no such operator"):
        Isolated("picky", command)
    with pytest.raises(RefusedError, match="cannot be started"):
        Isolated("absent", [str(tmp_path / "absent")])


def test_a_crash_is_told_and_survived(tmp_path: Path) -> None:
    runtime = Isolated(
        "fragile",
        worker(
            tmp_path,
            """
        import os
        answer(written("ready"))
        while (message := read(sys.stdin.buffer)) is not None:
            if message.tensors["x"].size > 3:
                print("about to fall", file=sys.stderr, flush=True)
                os.abort()
            answer(written("ok", {"y": message.tensors["x"]}))
    """,
        ),
    )
    with pytest.raises(CrashedError, match=r"fragile: killed by SIGABRT: .*about to fall"):
        runtime({"x": np.ones(4)})
    assert runtime({"x": np.ones(2)})["y"].tolist() == [1.0, 1.0]
    runtime.close()


def test_nonsense_and_an_early_end_are_crashes(tmp_path: Path) -> None:
    with pytest.raises(CrashedError, match="expected a message"):
        Isolated("talks", worker(tmp_path, 'answer(b"hello world out there\\n")'))
    with pytest.raises(CrashedError, match="exit code 3"):
        Isolated("leaves", worker(tmp_path, "sys.exit(3)"))


def test_what_takes_too_long_is_killed(tmp_path: Path) -> None:
    runtime = Isolated(
        "slow",
        worker(
            tmp_path,
            """
        import time
        answer(written("ready"))
        while (message := read(sys.stdin.buffer)) is not None:
            time.sleep(600)
    """,
        ),
        run_limit_s=0.3,
    )
    with pytest.raises(HungError, match=r"slow: no answer within 0\.3 s"):
        runtime({"x": np.ones(1)})
    runtime.close()


def test_onnxruntime_among_others_may_die_and_answers_as_it_does_alone() -> None:
    folder = Path(__file__).resolve().parents[2] / "artifacts" / "tokens" / "bundle"
    bundle = open_bundle(folder)
    graph = LAYOUT.model
    subject = Subject(graph, bundle.read(graph), folder / graph, bundle.manifest.contract(graph))
    own, apart = adapter("onnxruntime")(subject), adapter("onnxruntime", apart=True)(subject)
    case = next(c for c in read_golden(bundle.read(LAYOUT.golden), "") if c.graph == graph)
    assert isinstance(apart, Isolated)
    with contextlib.closing(apart):
        for name, value in own(case.inputs).items():
            np.testing.assert_array_equal(apart(case.inputs)[name], value)
        # A batch of 0 ends the process of onnxruntime 1.31; other versions may say no.
        with pytest.raises(UnansweredError):
            apart({name: value[:0] for name, value in case.inputs.items()})
        assert apart(case.inputs).keys() == own(case.inputs).keys()
