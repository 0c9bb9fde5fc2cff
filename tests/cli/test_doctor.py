"""`lstm-export doctor`: what it says, in words and as JSON, and its exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from onnx import TensorProto, helper, save

from lstm_export.cli.main import run
from lstm_export.doctor.limits.measured import measured

MODEL = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 1)
    def forward(self, x):
        return self.head(self.rnn(x)[0])

class Branches(Net):
    def forward(self, x):
        y = super().forward(x)
        return y if x.size(1) > 4 else -y

class Listed(Net):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(8, 1)]
    def forward(self, x):
        return self.layers[0](self.rnn(x)[0])

def broken():
    raise ValueError("no file")
"""


@pytest.fixture(autouse=True)
def path_as_it_was() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "model.py"
    file.write_text(MODEL)
    return file


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """An ONNX file with a Scan of nothing much, which OpenCV refuses."""
    floats = TensorProto.FLOAT
    info = helper.make_tensor_value_info
    step = helper.make_graph(
        [helper.make_node("Add", ["h", "x_t"], ["h_out"]), helper.make_node("Neg", ["h"], ["y_t"])],
        "step",
        [info("h", floats, ["batch"]), info("x_t", floats, ["batch"])],
        [info("h_out", floats, ["batch"]), info("y_t", floats, ["batch"])],
    )
    node = helper.make_node("Scan", ["h0", "x"], ["h1", "y"], body=step, num_scan_inputs=1)
    inputs = [info("h0", floats, ["batch"]), info("x", floats, ["sequence_length", "batch"])]
    outputs = [info("y", floats, ["sequence_length", "batch"])]
    file = tmp_path / "scan.onnx"
    opsets = [helper.make_opsetid("", 22)]
    body = helper.make_graph([node], "g", inputs, outputs)
    save(helper.make_model(body, opset_imports=opsets, ir_version=8), file)
    return file


def test_a_file_and_the_runtimes_that_were_asked_about(
    graph: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", str(graph), "--for", "opencv, tract"]) == 1
    text = capsys.readouterr().out
    assert "input         x: float32 (sequence_length, batch)" in text
    assert "opencv: refuses: Scan (Scan h1)" in text
    assert "to avoid it, write the loop with nn.LSTM" in text
    assert "tract: nothing is known against it" in text
    assert run(["doctor", str(graph), "--for", "tract"]) == 0
    assert run(["doctor", str(graph), "--for", "onnxruntime"]) == 0
    assert "older releases refuse: opset 22" in capsys.readouterr().out
    assert run(["doctor", str(graph), "--for", "onnxruntime@1.20"]) == 1


def test_all_runtimes_where_none_is_named(graph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", str(graph)]) == 0
    text = capsys.readouterr().out
    assert "opencv: refuses: Scan" in text
    assert (
        "nothing is known against it in onnx-reference, openvino, openvino-default, tract" in text
    )


def test_how_something_is_known_is_said(
    made: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", str(made.bundle), "--for", "triton,tract,mnn"]) == 1
    text = capsys.readouterr().out
    assert "triton: refuses: an input without axes (horizon)" in text
    assert "needs at least one axis; read, not measured: https://github.com/triton" in text
    assert run(["doctor", str(made.bundle / "model.onnx"), "--for", "tensorrt"]) == 0
    assert "tensorrt: nothing is known against it; it was never run" in capsys.readouterr().out
    assert f"; measured on {measured().versions['tract']}" in text


def test_a_bundle_as_json(made: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", str(made.bundle), "--for", "openvino,mnn", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["blocked"]) == ("graphs", False)
    assert document["runtimes"] == ["openvino", "mnn"]
    names = [graph["name"] for graph in document["graphs"]]
    assert names == ["model.onnx", "stream.onnx", "forecast.onnx"]
    (finding,) = document["graphs"][0]["findings"]
    assert finding["consequence"] == "inexact"
    assert "f32" in finding["avoid"]


def test_bad_use(
    model: Path, graph: Path, made: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, message in (
        ([str(graph), "--for", "tflite"], "expected a runtime of onnxruntime"),
        ([str(graph), "--example-shape", "x=1"], "are for a module"),
        ([str(graph.parent / "absent.onnx")], "there is nothing at"),
        ([str(made.run)], "is no bundle"),
        ([str(model)], "which name in it gives the module?"),
        ([f"{model}:absent"], "has no 'absent'. It holds Net, Branches, Listed, broken"),
        ([f"{model}:broken"], "raised ValueError: no file"),
        ([f"{model}:Net", "--example-shape", "z=1"], "has no such argument"),
        ([f"{model}:Net", "--weights", str(graph)], "is an ONNX model"),
        ([f"{model.parent / 'absent.py'}:Net"], "there is no such file"),
    ):
        assert run(["doctor", *arguments]) == 2, arguments
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert any(part in captured.err for part in message.split("|")), captured.err


def test_a_module(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", f"{model}:Net", "--no-stock", "--for", "onnxruntime-web"]) == 0
    captured = capsys.readouterr()
    for line in (
        "layer         rnn: LSTM 3 → 4, 2 layers, two directions",
        "example       x=2,5,3  (guessed; --example-shape says otherwise)",
        "lstm_export   right (",
        "input         x: float32 (batch, sequence_length, 3)",
        "output        output: float32 (batch, sequence_length, 1)",
        "onnxruntime-web: nothing is known against it",
    ):
        assert line in captured.out
    assert captured.err == "trying lstm_export\n"


def test_a_module_that_blocks_itself(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--no-stock", "--json", "--example-shape", "x=2,6,3"]
    assert run(["doctor", f"{model}:Branches", *arguments]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["report"], document["blocked"]) == ("module", None, True)
    assert "model.py" in document["refusal"]
    assert "x.size(1) > 4" in document["refusal"]
    assert document["guessed"] is False


def test_parameters_that_never_trained(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", f"{model}:Listed", "--no-stock"]) == 1
    text = capsys.readouterr().out
    assert "unregistered  layers[0] (Listed) holds 2 parameters that are not registered" in text
    assert "lstm_export   cannot: " in text


@pytest.mark.slow
def test_a_module_and_torchs_own_exporters(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", f"{model}:Net", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["exporter"] for one in document["stock"]] == ["torch dynamo", "torch legacy"]
    assert all(one["verdict"] == "right" for one in document["stock"])
    assert document["report"]["nodes"] < min(one["nodes"] for one in document["stock"])
