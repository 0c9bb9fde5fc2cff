"""What `load` accepts and what it refuses, in one message each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import lstm_export
from lstm_export.contract import METADATA_KEY
from lstm_export.errors import (
    BundleError,
    ChecksumError,
    ContractError,
    NewerFormatError,
    OptionError,
)
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.graph_model import GraphModel
from lstm_export.runtime.load import load, load_forecaster

MakeBundle = Callable[[str], Path]


def test_a_bundle(bundle: MakeBundle) -> None:
    model = lstm_export.load(str(bundle("plain")))
    assert isinstance(model, ForecastModel)
    assert model.providers == ("CPUExecutionProvider",)
    assert model.contract.forecast == model.terms
    assert [spec.name for spec in model.contract.graph.inputs] == ["x"]


def test_a_bare_model_file_answers_as_its_bundle(bundle: MakeBundle, tmp_path: Path) -> None:
    file = tmp_path / "somewhere.onnx"
    shutil.copy(bundle("seasonal") / "model.onnx", file)
    whole, bare = load_forecaster(bundle("seasonal")), load_forecaster(file)
    x = np.random.default_rng(0).normal(size=(2, 12, 1))
    np.testing.assert_array_equal(whole(x), bare(x))
    assert whole.contract == bare.contract
    # Fed back over the stream, and over growing windows.
    np.testing.assert_allclose(whole.forecast(x, 8), bare.forecast(x, 8), rtol=1e-5, atol=1e-5)
    with pytest.raises(OptionError, match="bundle folder"):
        bare.stream()


def test_a_bare_stream_file_takes_its_state_by_name(bundle: MakeBundle) -> None:
    model = load(bundle("plain") / "stream.onnx")
    assert isinstance(model, GraphModel)
    zeros = np.zeros((1, 1, 5), np.float32)
    outputs = model(x=np.zeros((1, 2, 1)), initial_h=zeros, initial_c=zeros)
    assert isinstance(outputs, dict)
    assert list(outputs) == ["output", "final_h", "final_c"]
    assert outputs["output"].shape == (1, 2, 1, 1)
    with pytest.raises(BundleError, match="no forecaster"):
        load_forecaster(bundle("plain") / "stream.onnx")


def test_an_onnxruntime_of_many_threads(bundle: MakeBundle) -> None:
    x = np.ones((2, 9, 1))
    expected = load_forecaster(bundle("plain"))(x)
    model = load_forecaster(bundle("plain"), intra_op_num_threads=2)
    np.testing.assert_allclose(model(x), expected, rtol=1e-6)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no bundle or ONNX file at"):
        load(tmp_path / "absent")
    with pytest.raises(BundleError, match=r"is not a bundle: it has no manifest\.json"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x80\x02}q\x00.", bytes(1000)])
def test_files_that_are_not_onnx(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"m\.onnx is (empty|not a whole ONNX model)"):
        load(file)


def test_every_truncation_of_a_file(bundle: MakeBundle, tmp_path: Path) -> None:
    body = (bundle("plain") / "model.onnx").read_bytes()
    file = tmp_path / "m.onnx"
    for length in range(0, len(body) - 1, len(body) // 40):
        file.write_bytes(body[:length])
        with pytest.raises((BundleError, ContractError), match=r"m\.onnx"):
            load_forecaster(file)


def test_a_graph_that_only_the_runtime_can_refuse(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(small("NoSuchOperator").SerializeToString())
    with pytest.raises(BundleError, match=r"m\.onnx: onnxruntime refuses it: .*NoSuchOperator"):
        load(file)


def small(op_type: str) -> onnx.ModelProto:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(op_type, ["x"], ["y"])],
        "g",
        [info("x", TensorProto.FLOAT, ["batch", 3])],
        [info("y", TensorProto.FLOAT, ["batch", 3])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_an_edited_bundle(bundle: MakeBundle, tmp_path: Path) -> None:
    for name in ("model.onnx", "manifest.json"):
        copy = shutil.copytree(bundle("plain"), tmp_path / name)
        body = bytearray((copy / name).read_bytes())
        body[len(body) // 2] ^= 1
        (copy / name).write_bytes(body)
        with pytest.raises((ChecksumError, BundleError), match=name.replace(".", r"\.")):
            load(copy)


def test_the_stream_graph_is_checked_when_it_is_opened(bundle: MakeBundle, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle("plain"), tmp_path / "bundle")
    body = (copy / "stream.onnx").read_bytes()
    (copy / "stream.onnx").write_bytes(body[:-1])
    model = load_forecaster(copy)
    model(np.zeros((4, 1)))
    with pytest.raises(ChecksumError, match=r"stream\.onnx"):
        model.stream()


def test_a_contract_of_another_graph(bundle: MakeBundle, tmp_path: Path) -> None:
    model = onnx.load(bundle("plain") / "model.onnx")
    model.graph.output[0].name = "renamed"
    model.graph.node[-1].output[0] = "renamed"
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ContractError, match=r"does not fit its graph: .*output.*renamed"):
        load(tmp_path / "m.onnx")


def test_a_newer_contract(bundle: MakeBundle, tmp_path: Path) -> None:
    model = onnx.load(bundle("plain") / "model.onnx")
    (entry,) = [prop for prop in model.metadata_props if prop.key == METADATA_KEY]
    entry.value = json.dumps({**json.loads(entry.value), "format_version": 99})
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(NewerFormatError, match="format version 99"):
        load(tmp_path / "m.onnx")


def test_weights_in_a_file_beside_it(tmp_path: Path) -> None:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [3], np.arange(3, dtype=np.float32))
    model = small("Add")
    model.graph.node[0].input.append("w")
    model.graph.initializer.append(weight)
    values = np.arange(3, dtype=np.float32).tobytes()
    model.graph.initializer[0].ClearField("float_data")
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="w.bin")
    (tmp_path / "w.bin").write_bytes(values)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    loaded = load(tmp_path / "m.onnx")
    np.testing.assert_array_equal(loaded(np.zeros((1, 3))), [[0, 1, 2]])
    model.graph.initializer[0].external_data[0].value = "../w.bin"
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match="leaves the folder"):
        load(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"providers": ["NoSuchProvider"]}, "NoSuchProvider.*CPUExecutionProvider"),
        ({"providers": "CPUExecutionProvider"}, "list of names"),
        ({"providers": []}, "list of names"),
        ({"intra_op_num_threads": -1}, "integer ≥ 0, got -1"),
        ({"intra_op_num_threads": True}, "integer ≥ 0, got True"),
        ({"on_nonfinite": "ignore"}, '"raise" or "pass", got \'ignore\''),
    ],
)
def test_options_that_make_no_sense(
    bundle: MakeBundle, options: dict[str, object], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        load(bundle("plain"), **options)  # type: ignore[arg-type]
