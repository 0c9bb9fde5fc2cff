"""Verifying in every runtime there is, and one kept case again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lstm_export.cli.main import run
from lstm_export.parity.runtimes.registry import RUNTIMES

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


def test_the_matrix_and_a_kept_case(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever else is installed here, these two are.
    from lstm_export.parity.runtimes import registry

    known = {name: registry.RUNTIMES[name] for name in ("onnxruntime", "onnx-reference", "opencv")}
    for module in ("chosen", "runtimes.registry"):
        monkeypatch.setattr(f"lstm_export.parity.{module}.RUNTIMES", known)
    options = ["--markdown", str(tmp_path / "m.md"), "--cases", str(tmp_path / "cases"), "--json"]
    assert run(["verify", str(BUNDLE), "--runtimes", "all", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    verdicts = {(cell["runtime"], cell["verdict"]) for cell in found["matrix"]}
    assert ("onnxruntime", "within") in verdicts
    assert ("onnx-reference", "within") in verdicts
    assert (tmp_path / "m.md").read_text().startswith("| runtime | model.onnx: batch and length |")
    case = str(tmp_path / "cases" / "onnx-reference.npz")
    assert run(["verify", "--replay", case, "--runtime", "onnx-reference", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert [row["runtime"] for row in again["outputs"]][:1] == ["onnx-reference"]
    assert len({row["worst_case"] for row in again["outputs"]}) == 1


def test_bad_use(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "no.npz").write_bytes(b"no case")
    for arguments, message in (
        ([], "expected the BUNDLE"),
        (["--replay", str(tmp_path / "absent.npz")], "there is no such file"),
        (["--replay", str(tmp_path / "no.npz")], "is no case of a verification"),
        (["--replay", str(tmp_path / "no.npz"), "--atol", "1"], "are not for --replay"),
        ([str(BUNDLE), "--runtimes", "tensorrt"], "there is no runtime 'tensorrt'"),
    ):
        assert run(["verify", *arguments]) == 2, arguments
        assert message in capsys.readouterr().err
