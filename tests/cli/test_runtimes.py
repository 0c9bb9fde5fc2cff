"""Verifying in every runtime there is, and one kept case again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from lstm_export.cli.main import run
from lstm_export.parity.runtimes.onnxruntime import open_graph as open_onnxruntime
from lstm_export.parity.runtimes.registry import RUNTIMES, RefusedError, Runner, Status, Subject

BUNDLE = Path(__file__).resolve().parents[2] / "artifacts" / "sunspots" / "bundle"
Capture = pytest.CaptureFixture[str]


def test_runtimes_are_listed_with_how_to_get_them(capsys: Capture) -> None:
    assert run(["runtimes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["runtimes"]
    assert list(found) == list(RUNTIMES)
    assert found["onnxruntime"]["installed"]
    for one in found.values():
        assert one["version"] if one["installed"] else one["how_to_get"]
    assert run(["runtimes"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in RUNTIMES)


def refuses_streams(subject: Subject) -> Runner:
    """A runtime that has no stream.onnx, and answers the rest 1 too high."""
    if subject.graph == "stream.onnx":
        raise RefusedError("picky", "no states | here")
    real = open_onnxruntime(subject)
    return lambda inputs: {name: value + 1 for name, value in real(inputs).items()}


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is installed here: one that is right, one that is not there, one that is picky."""
    picky = ModuleType("picky")
    picky.status = lambda: Status(True, "0.1")  # type: ignore[attr-defined]
    picky.open_graph = refuses_streams  # type: ignore[attr-defined]
    absent = ModuleType("absent")
    absent.status = lambda: Status(False, how_to_get="pip install absent")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picky", picky)
    monkeypatch.setitem(sys.modules, "absent", absent)
    known = {"onnxruntime": RUNTIMES["onnxruntime"], "picky": "picky", "absent": "absent"}
    monkeypatch.setattr("lstm_export.parity.runtimes.registry.RUNTIMES", known)


@pytest.mark.usefixtures("three")
def test_the_matrix_and_its_kept_cases(tmp_path: Path, capsys: Capture) -> None:
    cases, page = tmp_path / "cases", tmp_path / "m.md"
    options = ["--markdown", str(page), "--cases", str(cases), "--json"]
    assert run(["verify", str(BUNDLE), "--runtimes", "all", *options]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["verdicts"] == {
        "onnxruntime": "within",
        "picky": "wrong",
        "absent": "not installed",
    }
    kept = {(one["runtime"], one["verdict"]): one["path"] for one in found["kept"]}
    assert kept == {
        ("onnxruntime", "within"): str(cases / "onnxruntime.npz"),
        ("picky", "wrong"): str(cases / "picky.npz"),
        ("picky", "refused"): str(cases / "picky-refused.npz"),
    }
    assert "| picky 0.1 | **WRONG**: model.onnx" in page.read_text(encoding="utf-8")
    # The cases are kept: a second time they are in the way, and nothing is run.
    assert run(["verify", str(BUNDLE), "--runtimes", "all", "--cases", str(cases)]) == 2
    assert "--force" in capsys.readouterr().err


@pytest.mark.usefixtures("three")
def test_a_kept_case_again(tmp_path: Path, capsys: Capture) -> None:
    cases = tmp_path / "cases"
    assert run(["verify", str(BUNDLE), "--runtimes", "all", "--cases", str(cases)]) == 1
    capsys.readouterr()
    # In the runtime that it was kept of, in another, and one that was not answered.
    assert run(["verify", "--replay", str(cases / "picky.npz")]) == 1
    shown = capsys.readouterr().out
    assert "in picky 0.1\n  output: WRONG [" in shown
    for label in ("got", "reference", "torch", "error", "bound"):
        assert f"    {label:<9}  " in shown, label
    assert run(["verify", "--replay", str(cases / "picky.npz"), "--runtime", "onnxruntime"]) == 0
    assert "output: within [" in capsys.readouterr().out
    assert run(["verify", "--replay", str(cases / "picky-refused.npz")]) == 1
    shown = capsys.readouterr().out
    assert "stream.onnx, the golden case " in shown
    assert "  REFUSED: no states | here" in shown
    assert run(["verify", "--replay", str(cases / "picky.npz"), "--json"]) == 1
    again = json.loads(capsys.readouterr().out)
    assert {row["runtime"] for row in again["outputs"]} == {"picky"}
    assert len({row["worst_case"] for row in again["outputs"]}) == 1


def test_bad_use(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "no.npz").write_bytes(b"no case")
    np.savez(tmp_path / "other.npz", x=np.zeros(2))
    for arguments, message in (
        ([], "expected the BUNDLE"),
        (["--replay", str(tmp_path / "absent.npz")], "there is no such file"),
        (["--replay", str(tmp_path / "no.npz")], "expected a case that verify --cases of this"),
        (["--replay", str(tmp_path / "other.npz")], "kept: it has no 'about.json is not a file"),
        (["--replay", "no.npz", "--cases", "x"], "--cases is not for --replay"),
        ([str(BUNDLE), "--cases", str(tmp_path / "no.npz")], "expected a folder to keep cases in"),
        ([str(BUNDLE), "--cases", str(BUNDLE / "cases")], "into which only export writes"),
        ([str(BUNDLE), "--html", "x", "--markdown", "./x"], "give each its own file"),
        ([str(BUNDLE), "--runtimes", "tensorrt"], "there is no runtime 'tensorrt'"),
    ):
        assert run(["verify", *arguments]) == 2, arguments
        assert message in capsys.readouterr().err
