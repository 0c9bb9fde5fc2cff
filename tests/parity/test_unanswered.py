"""Runtimes that hang, crash or refuse: asked no more than is needed, and their cases kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lstm_export.cli.main import run
from lstm_export.parity.kept import keep
from lstm_export.parity.patience import MOST_CRASHES
from lstm_export.parity.replay import load_case
from lstm_export.parity.report import ParityReport
from lstm_export.parity.runtimes.onnxruntime import open_graph as open_onnxruntime
from lstm_export.parity.runtimes.registry import (
    RUNTIMES,
    CrashedError,
    HungError,
    RefusedError,
    Runner,
    Status,
    Subject,
    Tensors,
    UnansweredError,
)
from lstm_export.parity.verify import replay, verify

ERRORS: dict[str, Callable[[], UnansweredError]] = {
    "hung": lambda: HungError("faulty", 60),
    "crashed": lambda: CrashedError("faulty", "killed by SIGSEGV"),
    "refused": lambda: RefusedError("faulty", "not this one"),
}
Faults = Callable[[Tensors], str | None]
"""The kind of error for these inputs, or none: then the answer is right."""


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[Faults], list[str]]:
    """A function that makes `faulty` a runtime, and gives what becomes of its questions."""

    def make(fault: Faults) -> list[str]:
        questions: list[str] = []

        def open_graph(subject: Subject) -> Runner:
            right = open_onnxruntime(subject)

            def answer(inputs: Tensors) -> dict[str, np.ndarray]:
                kind = fault(inputs)
                questions.append(kind or "answered")
                if kind is not None:
                    raise ERRORS[kind]()
                return right(inputs)

            return answer

        module = ModuleType("faulty")
        module.status = lambda: Status(True, "0.1")  # type: ignore[attr-defined]
        module.open_graph = open_graph  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "faulty", module)
        monkeypatch.setitem(RUNTIMES, "faulty", "faulty")
        return questions

    return make


def kinds(report: ParityReport) -> list[str]:
    return [error.kind for error in report.errors]


def test_a_runtime_that_hangs_is_asked_once_for_each_graph(made: Any, plant: Any) -> None:
    questions = plant(lambda inputs: "hung")
    report = verify(made("gru").bundle, runtimes=["onnxruntime", "faulty"])
    graphs = list(report.tried)
    # Not again for the latency either.
    assert questions == ["hung"] * len(graphs)
    assert kinds(report).count("hung") == len(graphs)
    answered = {
        (one.graph, one.check, one.case) for one in report.comparisons if one.runtime != "faulty"
    }
    unanswered = [(one.graph, one.check, one.case) for one in report.errors]
    assert sorted(unanswered) == sorted(answered)
    told = [one.message for one in report.failures if "not asked any more" in one.message]
    first = next(one for one in report.errors if one.graph == "stream.onnx")
    assert any(
        message.startswith("stream.onnx in faulty: 3 golden cases were not asked any more (")
        and f"): it hung on the golden case {first.case}: no answer within 60 s" in message
        for message in told
    )
    assert not report.passed
    assert {cell.verdict for cell in report.matrix if cell.runtime == "onnxruntime"} == {"within"}


def test_a_feature_that_was_not_asked_is_not_within(made: Any, plant: Any) -> None:
    answered: list[bool] = []

    def second(inputs: Tensors) -> str | None:
        answered.append(True)
        return "hung" if len(answered) == 2 else None

    plant(second)
    report = verify(made("gru").bundle, runtimes=["onnxruntime", "faulty"])
    model = [c for c in report.matrix if (c.runtime, c.graph) == ("faulty", "model.onnx")]
    assert {cell.verdict for cell in model} <= {"hung", "not asked"}
    assert model[0].verdict == "hung"
    assert model[0].worst is not None
    stream = [c for c in report.matrix if (c.runtime, c.graph) == ("faulty", "stream.onnx")]
    assert {cell.verdict for cell in stream} == {"within"}


def test_a_runtime_that_crashes_again_and_again(made: Any, plant: Any) -> None:
    questions = plant(lambda inputs: "crashed")
    report = verify(made("gru").bundle, runtimes=["faulty"])
    assert questions == ["crashed"] * MOST_CRASHES * len(report.tried)
    last = report.errors[-1]
    assert last.kind == "not asked"
    assert last.message.startswith(f"it crashed {MOST_CRASHES} times, last on the ")
    assert last.message.endswith("killed by SIGSEGV")


def test_who_refuses_is_asked_everything(made: Any, plant: Any) -> None:
    questions = plant(lambda inputs: "refused")
    report = verify(made("gru").bundle, runtimes=["faulty"])
    assert len(questions) == len(report.errors)
    assert set(kinds(report)) == {"refused"}


@pytest.mark.parametrize("kind", ERRORS)
def test_a_live_case_that_was_not_answered_is_kept_and_does_it_again(
    made: Any, plant: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    one = made("lstm")  # its graphs are fewer than others'
    longest = 500  # No golden case is as long.
    questions = plant(lambda inputs: kind if inputs["x"].shape[1] >= longest else None)
    report = verify(one.bundle, against=one.run, runtimes=["faulty"])
    assert not report.passed
    (kept,) = [case for case in keep(report, tmp_path / "cases") if case.verdict == kind]
    assert kept.path.endswith(f"faulty-{kind}.npz")
    saved = load_case(Path(kept.path))
    assert saved.trial.check == "live"
    assert saved.trial.inputs["x"].shape[1] >= longest
    questions.clear()
    assert run(["verify", "--replay", kept.path]) == 1
    assert questions == [kind]
    shown = capsys.readouterr().out
    assert f"  {kind.upper()}: {ERRORS[kind]().message}" in shown
    assert f"kept of faulty: {kind}: {ERRORS[kind]().message}" in shown


def test_a_replay_tells_the_same_place_error_and_bound(made: Any, tmp_path: Path) -> None:
    one = made("lstm")
    live = verify(one.bundle, against=one.run, runtimes=["onnxruntime", "oracle", "torch"])
    strict = verify(one.bundle, rtol=1e-9, atol=1e-9)
    for folder, report in (("live", live), ("strict", strict)):
        worst = report.worst_by_runtime()
        for case in keep(report, tmp_path / folder):
            # torch and the oracle find the run that the bundle was compared with.
            again = replay(load_case(Path(case.path)), None, [case.runtime])
            assert again.worst_by_runtime()[case.runtime].comparison == (
                worst[case.runtime].comparison
            )
            assert again.rule == report.rule
            assert again.passed is worst[case.runtime].comparison.passed
    # What torch answers on weights moved by one place is in the case of the live report.
    saved = load_case(tmp_path / "live" / "onnxruntime.npz")
    (worst_case,) = [one for one in live.worst if one.comparison.runtime == "onnxruntime"]
    assert worst_case.trial.moved is not None
    assert saved.trial.moved is not None
    for ours, theirs in zip(
        saved.trial.moved.answers({}),
        worst_case.trial.moved.answers(worst_case.trial.inputs),
        strict=True,
    ):
        assert set(ours) == set(theirs)
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_another_tolerance_for_a_replay(
    made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, cases = made("gru").bundle, tmp_path / "cases"
    assert run(["verify", str(bundle), "--atol", "0", "--cases", str(cases)]) == 1
    path = str(cases / "onnxruntime.npz")
    capsys.readouterr()
    assert run(["verify", "--replay", path]) == 1
    told = capsys.readouterr()
    assert "rule: error ≤ 0 + 0 × |reference|" in told.err
    assert "kept of onnxruntime: wrong, " in told.out
    assert run(["verify", "--replay", path, "--atol", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rule"] == "error ≤ 1 + 0 × |reference|"
