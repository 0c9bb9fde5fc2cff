"""`lstm-export inspect`: what a file is, by its content."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lstm_export.checkpoint import Description, write_checkpoint
from lstm_export.cli.main import run
from lstm_export.contract import Column, DataOrigin, Forecast, Recurrent, Scaling, Window
from lstm_export.inspection import inspect_path, parameter_count
from lstm_export.nn.forecaster import Forecaster

TERMS = Forecast(
    features=(Column("rain", "mm", 0.0, 9.0), Column("level", "m", -2.0, 3.0)),
    targets=(Column("level", "m", -2.0, 3.0),),
    window=Window(context_length=4, horizon=2, difference=3),
    input_scaling=Scaling("standard", (0.0, 0.0), (1.0, 1.0)),
    target_scaling=Scaling("standard", (0.0,), (1.0,)),
    recurrent=Recurrent("lstm", 2, 4, 2),
)


@pytest.fixture
def bundle(make_bundle: Callable[[Forecast], Path]) -> Path:
    return make_bundle(TERMS)


def shown(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["inspect", str(path)]) == 0
    return capsys.readouterr().out


def as_json(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert run(["inspect", str(path), "--json"]) == 0
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    return document


def test_a_bundle(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(bundle, capsys)
    for expected in (
        "task           forecast",
        "rain (mm), level (m)",
        "LSTM, 2 layers of 4",
        "context 4, horizon 2; 7 rows of history, at least 4",
        "difference over 3, then standard scaling; inside the graph",
        "model.onnx: opset 18, IR 8",
        "x: float32 (batch, sequence_length, 2)",
        "output: float32 (batch, 2, 1)",
        "initial_rows: float32 (batch, 3, 2)",
        "checksums      every file is as it was written",
        "verified       no",
    ):
        assert expected in text
    document = as_json(bundle, capsys)
    assert document["kind"] == "bundle"
    assert document["parameters"] == parameter_count(TERMS)
    assert set(document["graphs"]) == {"model.onnx", "stream.onnx"}  # type: ignore[call-overload]
    assert json.dumps(document["forecast"]) == json.dumps(asdict(TERMS))


def test_a_bare_file_of_ours(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "renamed.bin"
    shutil.copy(bundle / "model.onnx", file)
    document = as_json(file, capsys)
    assert (document["kind"], document["task"]) == ("onnx file", "forecast")
    assert document["parameters"] == parameter_count(TERMS)
    assert document["sizes"] == {"renamed.bin": file.stat().st_size}


def test_a_foreign_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = {"W": np.zeros((2, 15, 3)), "R": np.zeros((2, 15, 5)), "i": np.zeros(4)}
    kinds = {"W": np.float32, "R": np.float32, "i": np.int64}
    graph = helper.make_graph(
        [helper.make_node("GRU", ["x", "W", "R"], ["y"], hidden_size=5, direction="bidirectional")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [7, None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v.astype(kinds[n]), n) for n, v in weights.items()],
    )
    opsets = [helper.make_opsetid("", 14)]
    file = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=7), file)
    text = shown(file, capsys)
    assert "GRU of 5, bidirectional" in text
    assert "x: float32 (7, ?, 3)" in text
    assert "opset 14, IR 7" in text
    document = as_json(file, capsys)
    assert (document["task"], document["parameters"], document["forecast"]) == (
        "unknown",
        240,
        None,
    )


def test_a_training_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"test": {"model": {"level": {"rmse": 1.0, "mae": 0.5}}}}
    description = Description(
        TERMS, DataOrigin("rain.csv", "0" * 64, 99), 7, metrics, {"torch": "2.13"}
    )
    module = Forecaster(TERMS)
    weights = {name: w.detach().numpy() for name, w in module.state_dict().items()}
    write_checkpoint(tmp_path, description, weights)
    text = shown(tmp_path, capsys)
    for expected in ("training run", "rain.csv, 99 rows", "seed           7", "lstm-export verify"):
        assert expected in text
    document = as_json(tmp_path, capsys)
    assert document["kind"] == "training run"
    assert set(document["sizes"]) == {"checkpoint.json", "model.safetensors"}  # type: ignore[call-overload]


@pytest.mark.parametrize(("cell", "proj_size"), [("lstm", 0), ("lstm", 2), ("gru", 0), ("rnn", 0)])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_parameters_are_torchs(cell: str, proj_size: int, layers: int, bidirectional: bool) -> None:
    spec = Recurrent(cell, 2, 4, layers, bidirectional, proj_size)  # type: ignore[arg-type]
    terms = replace(TERMS, recurrent=spec)
    assert parameter_count(terms) == sum(p.numel() for p in Forecaster(terms).parameters())


def test_an_edited_bundle(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = shutil.copytree(bundle, tmp_path / "bundle")
    (copy / "stream.onnx").write_bytes(b"x" + (copy / "stream.onnx").read_bytes()[1:])
    (copy / "extra.txt").write_text("x")
    assert run(["inspect", str(copy)]) == 2
    error = capsys.readouterr().err
    assert "stream.onnx was changed" in error
    assert "extra.txt is not listed" in error


def test_what_is_none_of_these(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "text.onnx").write_text("no model")
    for path, message in (
        (tmp_path / "absent", "there is nothing at"),
        (tmp_path, "neither a bundle"),
        (tmp_path / "empty.onnx", "is empty"),
        (tmp_path / "text.onnx", "is not a whole ONNX model"),
        (bundle / "manifest.json", "inspect"),
    ):
        assert run(["inspect", str(path)]) == 2
        captured = capsys.readouterr()
        assert message in captured.err
        assert captured.out == ""


def test_external_data_counts_and_may_be_missing(tmp_path: Path) -> None:
    tensor = TensorProto(name="w", dims=[3], data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [info("x", TensorProto.FLOAT, [3])],
        [info("y", TensorProto.FLOAT, [3])],
        [tensor],
    )
    file = tmp_path / "m.onnx"
    file.write_bytes(helper.make_model(graph, ir_version=8).SerializeToString())
    assert inspect_path(file).sizes == {"m.onnx": file.stat().st_size}
    (tmp_path / "w.bin").write_bytes(bytes(12))
    found = inspect_path(file)
    assert found.sizes["w.bin"] == 12
    assert found.graphs["m.onnx"].external_files == ("w.bin",)
    assert found.parameters == 3
