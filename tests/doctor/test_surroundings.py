"""What surrounds recurrent layers: the constructs, and what is near them and harmless."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lstm_export.bundle.onnx_file import OnnxFile, parse_onnx
from lstm_export.doctor import surroundings
from lstm_export.doctor.limits.measured import Measured, Row
from lstm_export.doctor.runtimes import diagnose_graph

Model = Callable[..., onnx.ModelProto]
Node = tuple[str, list[str], str]
X = ("x", TensorProto.FLOAT, ["batch", "sequence_length", 3])
GELU: list[Node] = [
    ("Div", ["x", "root"], "d"),
    ("Erf", ["d"], "e"),
    ("Add", ["e", "one"], "a"),
    ("Mul", ["half", "a"], "m"),
    ("Mul", ["x", "m"], "y"),
]
ATTENTION: list[Node] = [
    ("MatMul", ["x", "w"], "q"),
    ("MatMul", ["x", "w"], "k"),
    ("Transpose", ["k"], "kt"),
    ("MatMul", ["q", "kt"], "scores"),
    ("Div", ["scores", "root"], "scaled"),
    ("Softmax", ["scaled"], "p"),
    ("MatMul", ["p", "q"], "y"),
]


@pytest.fixture
def file(graph_of: Model) -> Callable[[list[Node]], OnnxFile]:
    """A function from nodes (type, inputs, output) to a file with x, some constants and y."""
    constants = {
        **{name: np.array(value, np.float32) for name, value in (("root", 1.4), ("one", 1.0))},
        "half": np.array(0.5, np.float32),
        "w": np.eye(3, dtype=np.float32),
        "stack": np.eye(3, dtype=np.float32)[None],
        "sizes": np.array([0, 1, 0, 0, 0, 0]),
        "time": np.array([0, 1]),
    }

    def make(listed: list[Node]) -> OnnxFile:
        nodes = [
            helper.make_node(kind, given, [output], perm=[0, 2, 1])
            if kind == "Transpose"
            else helper.make_node(kind, given, [output], name=output)
            for kind, given, output in listed
        ]
        model = graph_of(nodes, constants, [X], [("y", TensorProto.FLOAT, ["batch", "n", 3])])
        return parse_onnx(model.SerializeToString(), "made by hand")

    return make


def changed(nodes: list[Node], index: int, node: Node) -> list[Node]:
    return [*nodes[:index], node, *nodes[index + 1 :]]


def test_a_gelu_is_known_by_the_order_of_its_factors(file: Callable[..., OnnxFile]) -> None:
    assert surroundings.erf_gelu(file(GELU)) == ("Erf e",)
    swapped = changed(GELU, 3, ("Mul", ["a", "half"], "m"))
    assert surroundings.erf_gelu(file(swapped)) == ("Erf e",)
    for harmless in (
        changed(GELU, 0, ("Mul", ["x", "root"], "d")),
        changed(GELU, 3, ("Mul", ["x", "a"], "m")),
        [("Erf", ["x"], "y")],
    ):
        assert surroundings.erf_gelu(file(harmless)) == ()


def test_attention_is_a_softmax_between_two_products(file: Callable[..., OnnxFile]) -> None:
    assert surroundings.attention(file(ATTENTION)) == ("Softmax p",)
    bare = changed(ATTENTION, 4, ("Identity", ["x"], "scaled"))
    by_layer = changed(ATTENTION, 3, ("MatMul", ["q", "w"], "scores"))
    no_values = changed(ATTENTION, 6, ("Mul", ["p", "q"], "y"))
    for harmless in (bare, by_layer, no_values):
        assert surroundings.attention(file(harmless)) == ()


def test_a_stack_and_computed_sizes(file: Callable[..., OnnxFile]) -> None:
    assert surroundings.stored_matmul(file([("MatMul", ["x", "stack"], "y")])) == ("MatMul y",)
    assert surroundings.stored_matmul(file([("MatMul", ["x", "w"], "y")])) == ()
    computed: list[Node] = [("Tanh", ["stack"], "m"), ("MatMul", ["x", "m"], "y")]
    assert surroundings.stored_matmul(file(computed)) == ()
    assert surroundings.computed_pad(file([("Pad", ["x", "sizes"], "y")])) == ()
    sizes: list[Node] = [("Neg", ["sizes"], "s"), ("Pad", ["x", "s"], "y")]
    assert surroundings.computed_pad(file(sizes)) == ("Pad y",)


def test_what_is_said_of_them_rests_on_what_was_measured(
    file: Callable[..., OnnxFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Row("openvino", "attention", "attention", {"states": "wrong"}, "wrong", "off by 2")
    found = Measured({"openvino": "1"}, "x86_64", False, (row,))
    monkeypatch.setattr("lstm_export.doctor.limits.measured.measured", lambda: found)
    said = {
        one.runtime: one
        for one in diagnose_graph(file(ATTENTION), ["openvino", "openvino-default", "tract"])
    }
    assert set(said) == {"openvino", "openvino-default"}
    assert said["openvino"].consequence == "silently wrong"
    assert (said["openvino"].evidence, said["openvino-default"].evidence) == ("measured", "tried")
    assert said["openvino"].places == ("Softmax p",)
