"""The NumPy-only reader of ONNX files against the onnx package, and against damage."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from onnx import TensorProto, helper, numpy_helper

from lstm_export.bundle.onnx_file import OnnxFile, parse_onnx, read_onnx
from lstm_export.bundle.onnx_graph import UNKNOWN_AXIS, UNKNOWN_RANK
from lstm_export.bundle.onnx_tensor import DTYPES
from lstm_export.contract import GraphSpec, TensorSpec
from lstm_export.errors import BundleError


def lstm_model() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    weights = {
        "W": rng.normal(size=(1, 20, 3)).astype(np.float32),
        "R": rng.normal(size=(1, 20, 5)).astype(np.float32),
        "shape": np.array([-1, 5], np.int64),
    }
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2], name="to_time_major"),
        helper.make_node(
            "LSTM",
            ["t", "W", "R", "", "", "initial_h"],
            ["y", "final_h", ""],
            hidden_size=5,
            clip=0.5,
            activations=["Sigmoid", "Tanh", "Tanh"],
        ),
        helper.make_node("Reshape", ["y", "shape"], ["output"]),
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.arange(3.0))),
    ]
    graph = helper.make_graph(
        nodes,
        "main",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "sequence_length", 3]),
            helper.make_tensor_value_info("initial_h", TensorProto.FLOAT, [1, "batch", 5]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [None, 5])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="test")
    model.producer_version = "1.2"
    helper.set_model_props(model, {"lstm_export": "{}", "größe": "ü"})
    return model


MODEL = lstm_model()
BODY = MODEL.SerializeToString()


def read(model: onnx.ModelProto) -> OnnxFile:
    return parse_onnx(model.SerializeToString(), "m.onnx")


def test_reads_what_onnx_wrote() -> None:
    model = parse_onnx(BODY, "m.onnx")
    assert (model.ir_version, model.opset_version) == (8, 18)
    assert model.opset_imports == {"": 18, "com.microsoft": 1}
    assert (model.producer_name, model.producer_version) == ("test", "1.2")
    assert model.metadata_props == {"lstm_export": "{}", "größe": "ü"}
    assert model.spec == GraphSpec(
        (
            TensorSpec("x", "float32", ("batch", "sequence_length", 3)),
            TensorSpec("initial_h", "float32", (1, "batch", 5)),
        ),
        (TensorSpec("output", "float32", (UNKNOWN_AXIS, 5)),),
    )
    assert model.external_files == ()


def test_nodes_and_attributes_match_onnx() -> None:
    for node, judge in zip(read(MODEL).graph.nodes, MODEL.graph.node, strict=True):
        assert (node.op_type, node.domain, node.name) == (judge.op_type, judge.domain, judge.name)
        assert node.inputs == tuple(judge.input)
        assert node.outputs == tuple(judge.output)
        expected = {a.name: helper.get_attribute_value(a) for a in judge.attribute}
        assert node.attributes.keys() == expected.keys()
    lstm = read(MODEL).graph.nodes[1].attributes
    assert lstm == {"hidden_size": 5, "clip": 0.5, "activations": ("Sigmoid", "Tanh", "Tanh")}
    constant = read(MODEL).graph.nodes[3].attributes["value"]
    np.testing.assert_array_equal(constant.data, np.arange(3.0))


def test_initializers_match_onnx() -> None:
    graph = read(MODEL).graph
    assert list(graph.initializers) == ["W", "R", "shape"]
    for judge in MODEL.graph.initializer:
        tensor = graph.initializers[judge.name]
        expected = numpy_helper.to_array(judge)
        assert (tensor.dims, tensor.dtype, tensor.size) == (
            expected.shape,
            expected.dtype.name,
            expected.size,
        )
        np.testing.assert_array_equal(tensor.data, expected)
        assert tensor.data is not None
        assert not tensor.data.flags.writeable


def with_initializer(tensor: TensorProto) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.CopyFrom(MODEL)
    model.graph.initializer.append(tensor)
    return model


NUMPY_DTYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
]


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("raw", [True, False])
def test_every_dtype_raw_or_typed(dtype: str, raw: bool) -> None:
    values = np.array([[0, 1, 2], [3, 100, 1]]).astype(dtype)
    if np.dtype(dtype).kind in "ifc" and dtype != "float16":
        values[1, 1] = -100
    code = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    content = values.tobytes() if raw else values.ravel()
    tensor = helper.make_tensor("extra", code, values.shape, content, raw=raw)
    got = read(with_initializer(tensor)).graph.initializers["extra"]
    assert got.dtype == dtype
    assert got.data is not None
    assert got.data.dtype == values.dtype
    np.testing.assert_array_equal(got.data, values)


@given(values=npst.arrays(np.int64, npst.array_shapes(min_dims=0, max_dims=3, min_side=0)))
def test_varint_lists_hold_every_int64(values: np.ndarray[Any, Any]) -> None:
    tensor = helper.make_tensor("extra", TensorProto.INT64, values.shape, values.ravel())
    got = read(with_initializer(tensor)).graph.initializers["extra"]
    assert got.data is not None
    np.testing.assert_array_equal(got.data, values)


@pytest.mark.parametrize("code", [TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN, TensorProto.INT4])
def test_dtypes_that_numpy_lacks_are_named(code: int) -> None:
    tensor = helper.make_tensor("extra", code, [2], [1, 2])
    got = read(with_initializer(tensor)).graph.initializers["extra"]
    assert got.dtype == DTYPES[code] == TensorProto.DataType.Name(code).lower()
    assert got.data is None
    assert got.size == 2


def test_text_tensors_have_no_array() -> None:
    tensor = helper.make_tensor("extra", TensorProto.STRING, [1], [b"a"])
    got = read(with_initializer(tensor)).graph.initializers["extra"]
    assert (got.dtype, got.dims, got.data) == ("string", (1,), None)


def test_data_and_dims_that_disagree() -> None:
    tensor = helper.make_tensor("extra", TensorProto.FLOAT, [4], np.zeros(4, np.float32))
    tensor.dims[0] = 2**62
    with pytest.raises(BundleError, match="'extra'"):
        read(with_initializer(tensor))
    tensor.dims[0] = -1
    with pytest.raises(BundleError, match="negative"):
        read(with_initializer(tensor))


def test_subgraphs_are_found_at_every_depth() -> None:
    def wrap(node: onnx.NodeProto, output: str) -> onnx.GraphProto:
        info = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        return helper.make_graph([node], f"graph of {output}", [], [info])

    value = numpy_helper.from_array(np.ones(2, np.float32))
    inner = wrap(helper.make_node("Constant", [], ["a"], value=value), "a")
    middle = wrap(helper.make_node("If", ["p"], ["b"], then_branch=inner, else_branch=inner), "b")
    outer = wrap(helper.make_node("If", ["p"], ["c"], then_branch=middle, else_branch=inner), "c")
    outer.input.append(helper.make_tensor_value_info("p", TensorProto.BOOL, []))
    graph = read(helper.make_model(outer)).graph
    names = [subgraph.name for subgraph in graph.subgraphs()]
    assert sorted(names) == ["graph of a"] * 3 + ["graph of b"]
    assert len(list(graph.tensors())) == 3
    assert graph.inputs == (TensorSpec("p", "bool", ()),)
    assert graph.outputs == (TensorSpec("c", "float32", UNKNOWN_RANK),)


def test_functions_of_the_file() -> None:
    model = lstm_model()
    weight = TensorProto(dims=[3], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="w.bin")
    body = [
        helper.make_node("Constant", [], ["w"], value=weight),
        helper.make_node("Add", ["a", "w"], ["b"]),
    ]
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("my.own", "Shift", ["a"], ["b"], body, opsets))
    found = read(model)
    (function,) = found.functions
    assert function.name == "my.own::Shift"
    assert [node.op_type for node in function.nodes] == ["Constant", "Add"]
    assert [graph.name for graph in found.graphs()] == ["main", "my.own::Shift"]
    assert found.external_files == ("w.bin",)
    weight.external_data[0].value = "../w.bin"
    model.functions[0].node[0].attribute[0].t.CopyFrom(weight)
    with pytest.raises(BundleError, match="leaves the folder"):
        read(model)


def test_initializers_listed_as_inputs_are_not_fed() -> None:
    model = lstm_model()
    model.graph.input.append(helper.make_tensor_value_info("W", TensorProto.FLOAT, [1, 20, 3]))
    assert [spec.name for spec in read(model).graph.inputs] == ["x", "initial_h"]


@pytest.mark.parametrize(
    "location",
    ["../w.bin", "/etc/passwd", "a/../../w", "C:\\w", "\\w", "..\\w", "", "a\0b"],
)
def test_external_data_outside_the_folder_is_refused(location: str) -> None:
    with pytest.raises(BundleError, match="leaves the folder"):
        read(with_initializer(external(location)))


def external(location: str) -> TensorProto:
    tensor = TensorProto(name="extra", dims=[3], data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="offset", value="0")
    tensor.external_data.add(key="location", value=location)
    return tensor


def test_external_data_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(with_initializer(external("weights/w.bin")).SerializeToString())
    model = read_onnx(path)
    assert model.external_files == ("weights/w.bin",)
    assert model.graph.initializers["extra"].data is None


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(12))
    (tmp_path / "folder" / "w.bin").symlink_to(tmp_path / "w.bin")
    path = tmp_path / "folder" / "m.onnx"
    path.write_bytes(with_initializer(external("w.bin")).SerializeToString())
    with pytest.raises(BundleError, match="leaves the folder"):
        read_onnx(path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.onnx", tmp_path):
        with pytest.raises(BundleError, match="cannot read"):
            read_onnx(path)


def test_graphs_nested_too_deep() -> None:
    graph = MODEL.graph.SerializeToString()
    for _ in range(200):
        attribute = field(1, b"g") + field(6, graph)
        graph = field(1, field(4, b"If") + field(5, attribute))
    with pytest.raises(BundleError, match="deep"):
        parse_onnx(b"\x08\x08" + field(7, graph), "m.onnx")


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"PK\x03\x04" + bytes(40),
        b"{}",
        b"\x08\x08",
        b"\x08\x08" + field(7, b"")[:1],
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\xff" * 40,
        bytes(100),
        field(7, MODEL.graph.SerializeToString()),
        BODY + field(7, MODEL.graph.SerializeToString()),
    ],
)
def test_what_is_not_onnx(body: bytes) -> None:
    with pytest.raises(BundleError, match=r"^m\.onnx "):
        parse_onnx(body, "m.onnx")


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_random_bytes(body: bytes) -> None:
    with pytest.raises(BundleError):
        parse_onnx(body, "m.onnx")


@settings(max_examples=300)
@given(st.integers(0, len(BODY) - 1))
@example(len(BODY) - 1)
def test_truncations(length: int) -> None:
    # A message may end between two fields; what is left is then a smaller message.
    read_or_refuse(BODY[:length])


@settings(max_examples=1000)
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_single_bytes_changed(position: int, flip: int) -> None:
    body = bytearray(BODY)
    body[position] ^= flip
    read_or_refuse(bytes(body))


def read_or_refuse(body: bytes) -> None:
    try:
        model = parse_onnx(body, "m.onnx")
    except BundleError:
        return
    for tensor in model.graph.tensors():
        assert tensor.data is None or tensor.data.size == math.prod(tensor.dims)
