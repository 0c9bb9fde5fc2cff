"""`lstm-export verify`: exit codes, what goes where, and files it will not write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lstm_export.cli.main import run


@pytest.fixture
def faulty(made: Any, rewrite: Any) -> Path:
    """A bundle whose stream.onnx has another bias than its run."""

    def change(model: onnx.ModelProto) -> None:
        (bias,) = (i for i in model.graph.initializer if i.name.endswith("head.bias"))
        value = numpy_helper.to_array(bias) + np.float32(0.5)
        bias.CopyFrom(numpy_helper.from_array(value, bias.name))

    return rewrite(made("gru").bundle, {"stream.onnx": change})


def test_a_good_bundle(made: Any, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = made("gru").bundle
    assert run(["verify", str(bundle)]) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0].split("  ")[0] == "output"
    assert [line.split("  ")[0] for line in lines[1:5]] == [
        "model.onnx output",
        "stream.onnx output",
        "stream.onnx final_h",
        "forecast.onnx output",
    ]
    assert lines[-1] == f"{bundle}: passed; 13 cases against the golden values"
    assert "rule: error ≤ max(4 × torch float32's own error" in output.err


def test_a_faulty_bundle(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(faulty)]) == 1
    lines = capsys.readouterr().out.splitlines()
    (failure,) = [line for line in lines if line.startswith("FAILED")]
    assert failure.startswith("FAILED golden: stream.onnx in onnxruntime, output output: 4 of 4")
    assert lines[-1].startswith(f"{faulty}: FAILED, 1 finding; ")


def test_json(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(faulty), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is False
    assert document["failures"][0]["check"] == "golden"


def test_reports_are_written_where_asked(
    made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, run_folder = made("gru").bundle, made("gru").run
    before = {file.name: file.read_bytes() for file in bundle.iterdir()}
    report, page = tmp_path / "parity.json", tmp_path / "parity.html"
    arguments = ["verify", str(bundle), "--against", str(run_folder)]
    arguments += ["--report", str(report), "--html", str(page)]
    assert run(arguments) == 0
    assert json.loads(report.read_text())["against"] == str(run_folder)
    assert "<html" in page.read_text()[:2000]
    # A second time they exist already, and are kept.
    report.write_text("mine")
    assert run(arguments) == 2
    assert report.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert run([*arguments[:2], *arguments[4:], "--force"]) == 0
    assert report.read_text() != "mine"
    assert {file.name: file.read_bytes() for file in bundle.iterdir()} == before


@pytest.mark.parametrize("option", ["--report", "--html"])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_nothing_is_written_into_the_bundle(
    made: Any, capsys: pytest.CaptureFixture[str], option: str, force: list[str]
) -> None:
    bundle = made("gru").bundle
    for path in (bundle / "report", bundle / "model.onnx", bundle / ".." / bundle.name / "x"):
        assert run(["verify", str(bundle), option, str(path), *force]) == 2
        assert "only export writes" in capsys.readouterr().err
    assert sorted(f.name for f in bundle.iterdir()) == [
        "README.md",
        "forecast.onnx",
        "golden.npz",
        "manifest.json",
        "model.onnx",
        "stream.onnx",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--runtimes", "nope"],
            "there is no runtime 'nope'; known are oracle, torch, onnxruntime",
        ),
        (["--runtimes", "torch"], "add --against"),
        (["--atol", "-1"], "atol: expected a finite number ≥ 0"),
        (["--against", "nowhere"], "nowhere holds no finished training run"),
    ],
)
def test_bad_use(
    made: Any, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(["verify", str(made("gru").bundle), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_no_bundle_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(tmp_path / "nowhere")]) == 2
    assert "there is no bundle at" in capsys.readouterr().err
