"""Foreign ONNX files: named feeds, the same checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lstm_export.errors import InputError
from lstm_export.runtime.graph_model import GraphModel
from lstm_export.runtime.load import load


def saved(path: Path, inputs: dict[str, tuple[int, list[object]]], outputs: int = 1) -> Path:
    """A graph that hands its inputs on; the first `outputs` of them are its outputs."""
    names = list(inputs)[:outputs]
    infos = [helper.make_tensor_value_info(n, t, s) for n, (t, s) in inputs.items()]
    graph = helper.make_graph(
        [helper.make_node("Identity", [name], [f"{name}_out"]) for name in names],
        "g",
        infos,
        [helper.make_tensor_value_info(f"{n}_out", *inputs[n]) for n in names],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.fixture
def single(tmp_path: Path) -> GraphModel:
    model = load(saved(tmp_path / "m.onnx", {"x": (TensorProto.FLOAT, ["batch", None, 3])}))
    assert isinstance(model, GraphModel)
    return model


@pytest.fixture
def several(tmp_path: Path) -> GraphModel:
    inputs: dict[str, tuple[int, list[object]]] = {
        "tokens": (TensorProto.INT64, ["batch", "sequence_length"]),
        "initial_h": (TensorProto.FLOAT, [1, "batch", 4]),
        "scale": (TensorProto.DOUBLE, []),
        "flag": (TensorProto.BOOL, [1]),
    }
    model = load(saved(tmp_path / "m.onnx", inputs, outputs=4))
    assert isinstance(model, GraphModel)
    return model


def feeds(**changed: object) -> dict[str, object]:
    usual = {
        "tokens": [[1, 2], [3, 4]],
        "initial_h": np.zeros((1, 2, 4)),
        "scale": 2,
        "flag": np.array([True]),
    }
    return {**usual, **changed}


def test_one_input_by_position_mapping_or_keyword(single: GraphModel) -> None:
    x = np.arange(12.0).reshape(2, 2, 3)
    for output in (single(x), single({"x": x}), single(x=x)):
        assert isinstance(output, np.ndarray)
        assert output.dtype == np.float32
        np.testing.assert_array_equal(output, x)
    assert single.contract.task == "module"
    assert single.contract.graph.inputs[0].axes == ("batch", "?", 3)
    assert single.providers == ("CPUExecutionProvider",)


def test_several_inputs_and_outputs(several: GraphModel) -> None:
    for outputs in (several(feeds()), several(**feeds()), several({"tokens": [[1]]}, **feeds())):
        assert isinstance(outputs, dict)
        assert list(outputs) == ["tokens_out", "initial_h_out", "scale_out", "flag_out"]
        assert [v.dtype.name for v in outputs.values()] == ["int64", "float32", "float64", "bool"]
        assert outputs["scale_out"].shape == ()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 3)), r"x: expected \(batch, \?, 3\), got shape \(2, 3\)"),
        (np.zeros((2, 2, 4)), r"got shape \(2, 2, 4\)"),
        (np.zeros((2, 0, 3)), "x is empty"),
        (np.zeros((1, 1, 3), bool), "got bool"),
        (np.full((2, 2, 3), np.inf), r"x: inf at \[0, 0, 0\] \(12 of 12"),
        ([[[1.0, 2.0, 3.0]], [[1.0]]], "differ in length"),
        ({"X": np.zeros((2, 2, 3))}, "no input 'X'"),
    ],
)
def test_feeds_that_are_refused(single: GraphModel, x: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        single(x)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"initial_h": np.zeros((1, 3, 4))}, "'batch' is 3 here and 2 in tokens"),
        ({"initial_h": np.zeros((2, 2, 4))}, r"expected \(1, batch, 4\), got shape \(2, 2, 4\)"),
        ({"tokens": [[1.5, 2.0], [3.0, 4.0]]}, "tokens: expected int64, got float64"),
        ({"tokens": np.full((2, 2), 2**64 - 1, np.uint64)}, "does not fit into int64"),
        ({"flag": [1]}, "flag: expected bool, got int64"),
        ({"scale": "2"}, "scale: expected float64, got <U1"),
        ({"scale": np.nan}, r"scale: nan at \[\]"),
        ({"intial_h": 0}, "no input 'intial_h'; its inputs are"),
    ],
)
def test_named_feeds_that_are_refused(
    several: GraphModel, changed: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        several(feeds(**changed))


def test_names_that_are_nearly_right_or_missing(several: GraphModel) -> None:
    renamed = feeds()
    renamed["token"] = renamed.pop("tokens")
    with pytest.raises(InputError, match="no input 'token', did you mean 'tokens'"):
        several(renamed)
    with pytest.raises(InputError, match="'flag' is missing"):
        several({name: value for name, value in feeds().items() if name != "flag"})
    with pytest.raises(InputError, match="give each by its name"):
        several(np.zeros(3))
    with pytest.raises(InputError, match="is missing"):
        several()


def test_what_only_the_graph_knows_is_one_message(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "y"], ["z"])],
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [n]) for n in "xy"],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["z"])],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "m.onnx")
    model = load(tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"m\.onnx cannot run on x \(2,\), y \(3,\)") as caught:
        model({"x": np.ones(2), "y": np.ones(3)})
    assert "\n" not in str(caught.value)
