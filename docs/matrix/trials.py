"""What every runtime says to a graph that is no bundle, and to inputs that no contract allows.

Each runtime is a process here, onnxruntime too: some of these graphs end it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from traps import Trap

from lstm_export.bundle.onnx_file import read_onnx
from lstm_export.contract import BATCH, SEQUENCE_LENGTH, Contract
from lstm_export.parity.cases import CaseComparison, CaseError
from lstm_export.parity.features import FEATURES
from lstm_export.parity.matrix import Cell, cells
from lstm_export.parity.runtimes.isolated import Isolated
from lstm_export.parity.runtimes.registry import RUNTIMES, Runner, Subject, UnansweredError, adapter
from lstm_export.parity.trial import Tolerance, Trial, asked, judge

Feed = dict[str, npt.NDArray[Any]]
NAMES = tuple(name for name in RUNTIMES if name not in ("oracle", "torch"))
"""Those that open a file; the other two compute from weights."""
_ONNXRUNTIME = """
import os, sys
import onnxruntime
from lstm_export.parity.runtimes import worker
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
def load(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, dict(inputs))))
worker.serve(load, sys.argv[1], sys.stdin.buffer, answers)
"""


def measure(trap: Trap, folder: Path) -> tuple[Cell, ...]:
    """The cells of a trap, over shapes and lengths, against the judge."""
    path = folder / f"{trap.name}.onnx"
    onnx.save(trap.graph, path)
    spec = read_onnx(path).spec
    feeds = [_feed(trap.graph, *shape, seed) for seed, shape in enumerate(trap.shapes)]
    trials = []
    for feed in feeds:
        answer = _judged(trap, feed)
        # The dtype to be had; the values are not looked at under a fixed tolerance.
        typed = {one.name: answer[one.name].astype(one.dtype) for one in spec.outputs}
        trials.append(Trial("golden", trap.name, str(feed["x"].shape), feed, answer, typed))
    tried = {trap.name: {f: sum(f in asked(t, spec) for t in trials) for f in FEATURES}}
    comparisons: list[CaseComparison] = []
    errors: list[CaseError] = []
    for name in NAMES:
        for runner in opened(name, path, trap.name, errors):
            for trial in trials:
                good, bad = judge(trial, name, runner, spec, Tolerance(trap.tolerance, 0.0))
                comparisons += good
                errors += bad
    return cells(NAMES, comparisons, errors, {}, tried)


def outside(
    path: Path, feed: Feed, expected: Mapping[str, tuple[int, ...]] | None
) -> Iterator[tuple[str, str, str]]:
    """Runtime, verdict and message for inputs that no contract allows.

    An answer is wrong, but for one of the shapes `expected`; a refusal is right.
    """
    for name in NAMES:
        errors: list[CaseError] = []
        for runner in opened(name, path, path.name, errors):
            try:
                got = {one: value.shape for one, value in runner(feed).items()}
            except UnansweredError as error:
                yield name, error.kind, error.message
            else:
                right = expected is not None and got == dict(expected)
                words = ", ".join(f"{one} {shape}" for one, shape in got.items())
                yield name, "within" if right else "wrong", f"it answers {words}"
        for error in errors:
            yield name, error.kind, error.message


def opened(name: str, path: Path, graph: str, errors: list[CaseError]) -> Iterator[Runner]:
    """The graph in one runtime, closed afterwards; none, and an error, where it does not load."""
    subject = Subject(graph, path.read_bytes(), path, Contract("module", read_onnx(path).spec))
    try:
        if name == "onnxruntime":
            runner: Runner = Isolated(name, [sys.executable, "-P", "-c", _ONNXRUNTIME, str(path)])
        else:
            runner = adapter(name)(subject)
    except UnansweredError as error:
        errors.append(
            CaseError("runtime", name, graph, "loading", error.message, error.kind, FEATURES)
        )
        return
    try:
        yield runner
    finally:
        if isinstance(runner, Isolated):
            runner.close()


def _feed(graph: onnx.ModelProto, batch: int, length: int, seed: int) -> Feed:
    rng = np.random.default_rng(seed)
    feed: Feed = {}
    for spec in graph.graph.input:
        named = {BATCH: batch, SEQUENCE_LENGTH: length}
        sizes = [named.get(d.dim_param, d.dim_value) for d in spec.type.tensor_type.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(spec.type.tensor_type.elem_type)
        if spec.name == "lengths":
            feed[spec.name] = np.array([length, *rng.integers(1, length + 1, batch - 1)], dtype)
        elif spec.name == "steps":
            feed[spec.name] = np.array((length + 1) // 2, dtype)
        else:
            feed[spec.name] = rng.normal(size=sizes).astype(dtype)
    return feed


def _judged(trap: Trap, feed: Feed) -> Feed:
    judge = trap.judge or trap.graph
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        judge.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fed = {
        name: value.astype(np.float32) if value.dtype == np.float64 else value
        for name, value in feed.items()
    }
    names = [one.name for one in session.get_outputs()]
    return {
        name: np.asarray(value, np.float64)
        for name, value in zip(names, session.run(names, fed), strict=True)
    }
