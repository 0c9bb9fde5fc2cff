"""The tables of what runtimes cannot do, applied to graphs; no runtime is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lstm_export.doctor.limits.known import TRIED
from lstm_export.doctor.runtimes import LIMITS, diagnose_graph
from lstm_export.errors import BundleError, OptionError

Graph = Callable[..., onnx.ModelProto]


def found(model: onnx.ModelProto, *runtimes: str) -> dict[tuple[str, str], str]:
    """Consequences by runtime and construct, without what holds of every recurrent graph."""
    findings = diagnose_graph(model.SerializeToString(), runtimes or None)
    return {
        (one.runtime, one.construct): one.consequence
        for one in findings
        if one.consequence not in ("inexact", "unguarded") and one.evidence != "read"
    }


def test_the_portable_graph_of_an_lstm_is_fit_for_every_runtime(recurrent: Graph) -> None:
    assert found(recurrent()) == {}


CASES: list[tuple[dict[str, Any], str, dict[str, str]]] = [
    ({"lengths": True}, "sequence_lens", {"openvino": "silently wrong", "tract": "refuses"}),
    ({"direction": "reverse"}, "direction=reverse", {"tract": "silently wrong"}),
    ({"states": "none"}, "an initial state left out", {"tract": "crashes"}),
    ({"outputs": 1}, "an LSTM's output left out", {"mnn": "refuses"}),
    ({"bias": False}, "a bias left out", {"opencv": "refuses"}),
    ({"layout": 1}, "layout=1", {"onnxruntime": "refuses", "openvino": "silently wrong"}),
    ({"directions": 2}, "zero states that are sliced", {"tract": "refuses"}),
    (
        {"value": False},
        "ConstantOfShape without a value",
        {"tract": "refuses", "opencv": "refuses"},
    ),
    ({"shape": False}, "an input or output of unknown rank", {"opencv": "refuses"}),
    ({"clip": 0.2}, "clip", {"onnx-reference": "silently wrong"}),
    ({"input_forget": 1}, "input_forget=1", {"openvino": "silently wrong"}),
    ({"peephole": True}, "peephole weights", {"opencv": "silently wrong"}),
    ({"computed": True}, "LSTM weights that nodes compute", {"onnxruntime": "slow"}),
    ({"dtype": np.float64}, "float64 recurrence", {"onnxruntime-web": "refuses"}),
    ({"dtype": np.float16}, "float16 recurrence", {"onnxruntime": "crashes"}),
    (
        {"activations": ["Sigmoid", "Relu", "Relu"]},
        "activations other than sigmoid and tanh",
        {"tract": "silently wrong", "opencv": "refuses"},
    ),
    ({"op_type": "GRU"}, "GRU", {"iree": "refuses"}),
    ({"op_type": "GRU", "states": "none"}, "a GRU's initial state left out", {"opencv": "refuses"}),
    ({"op_type": "GRU", "outputs": 1}, "a GRU's output left out", {"opencv": "refuses"}),
    (
        {"op_type": "GRU", "direction": "reverse"},
        "direction=reverse in a GRU",
        {"opencv": "silently wrong"},
    ),
    ({"op_type": "RNN"}, "RNN", {"opencv": "refuses"}),
    (
        {"op_type": "RNN", "activations": ["Relu"]},
        "an RNN's activation",
        {"tract": "silently wrong", "onnx-reference": "refuses"},
    ),
    ({"opset": 22}, "opset 22", {"onnxruntime-web": "older releases refuse"}),
    ({"opset": 24}, "opset 23", {"onnxruntime": "older releases refuse"}),
    ({"ir": 10}, "IR version 10", {"onnxruntime-node": "older releases refuse"}),
]


@pytest.mark.parametrize(("options", "construct", "expected"), CASES, ids=lambda one: str(one))
def test_a_construct_is_found_where_it_is(
    recurrent: Graph, options: dict[str, Any], construct: str, expected: dict[str, str]
) -> None:
    findings = found(recurrent(**options))
    assert {name: findings.get((name, construct)) for name in expected} == expected
    assert construct not in {one for _, one in found(recurrent())}


@pytest.mark.parametrize(
    "options",
    [
        {"activations": ["Sigmoid", "Tanh", "Tanh"]},
        {"activations": ["sigmoid", "tanh", "TANH"]},
        {"directions": 2, "states": "inputs"},
        {"directions": 2, "states": "joined"},
        {"op_type": "RNN", "activations": ["Tanh", "Tanh"], "directions": 2},
        {"layout": 0},
        {"input_forget": 0},
    ],
    ids=str,
)
def test_what_only_looks_like_one_is_not_found(recurrent: Graph, options: dict[str, Any]) -> None:
    plain = found(recurrent(options.get("op_type", "LSTM")))
    assert found(recurrent(**options)) == plain


@pytest.mark.parametrize(
    ("op_type", "named", "expected"),
    [
        ("Loop", True, {("opencv", "Loop"): "silently wrong"}),
        ("Loop", False, {("onnxruntime", "a Loop's output left out"): "crashes"}),
        ("Scan", True, {("opencv", "Scan"): "refuses"}),
        ("Scan", False, {("onnxruntime", "a Scan's output left out"): "refuses"}),
    ],
)
def test_loops(loop: Graph, op_type: str, named: bool, expected: dict[Any, str]) -> None:
    findings = found(loop(op_type, named=named))
    assert expected.items() <= findings.items()
    assert any("output left out" in construct for _, construct in findings) is not named


def test_a_cell_inside_a_loop_is_found(graph_of: Graph, recurrent: Graph) -> None:
    inner = recurrent(lengths=True).graph
    branch = helper.make_graph(inner.node, "branch", [], inner.output, inner.initializer)
    node = helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    model = graph_of([node], {"yes": np.array(True)}, [], [("y", TensorProto.FLOAT, None)])
    assert found(model, "openvino") == {("openvino", "sequence_lens"): "silently wrong"}


def test_a_cell_inside_a_function_of_the_file_is_found(graph_of: Graph, recurrent: Graph) -> None:
    plain = recurrent(states="inputs")
    nodes = [node for node in plain.graph.node if node.op_type == "LSTM"]
    opsets = [helper.make_opsetid("", 18)]
    function = helper.make_function(
        "my.own", "Cell", ["t", "W", "R", "B", "h", "c"], ["Y"], nodes, opsets
    )
    nodes[0].attribute.append(helper.make_attribute("direction", "reverse"))
    function.node[0].CopyFrom(nodes[0])
    floats = TensorProto.FLOAT
    names = [*function.input]
    call = helper.make_node("Cell", names, ["y"], domain="my.own")
    inputs = [(name, floats, ["a", "b", "c"]) for name in names]
    model = graph_of([call], {}, inputs, [("y", floats, ["a", "b", "c", "d"])])
    model.functions.append(function)
    assert found(model, "tract") == {("tract", "direction=reverse"): "silently wrong"}


def test_operators_of_other_domains_are_told_apart(graph_of: Graph) -> None:
    quantised = helper.make_node(
        "DynamicQuantizeLSTM", ["x"], ["y"], domain="com.microsoft", hidden_size=4
    )
    floats = TensorProto.FLOAT
    model = graph_of(
        [quantised], {}, [("x", floats, ["b", "t", 3])], [("y", floats, ["b", "t", 4])]
    )
    assert found(model, "tract", "onnxruntime", "onnxruntime-web") == {
        ("tract", "DynamicQuantizeLSTM"): "refuses",
        ("onnxruntime-web", "DynamicQuantizeLSTM"): "slow",
    }
    foreign = helper.make_node("Scan", ["x"], ["y"], domain="my.own")
    model = graph_of([foreign], {}, [("x", floats, ["b", "t", 3])], [("y", floats, ["b", "t", 4])])
    assert found(model) == {}


def test_a_release_decides_what_depends_on_it(recurrent: Graph) -> None:
    model = recurrent(opset=22, ir=10)
    old = found(model, "onnxruntime@1.17")
    assert set(old.values()) == {"refuses"}
    assert len(old) == 2
    assert set(found(model, "onnxruntime@1.20.1").values()) == {"refuses"}
    assert found(model, "onnxruntime@1.21") == {}


def test_findings_come_by_runtime_gravest_first_and_name_their_nodes(recurrent: Graph) -> None:
    findings = diagnose_graph(
        recurrent(lengths=True, states="none", opset=22).SerializeToString(), ["tract", "openvino"]
    )
    assert [(one.runtime, one.consequence) for one in findings] == [
        ("tract", "crashes"),
        ("tract", "refuses"),
        ("tract", "inexact"),
        ("openvino", "silently wrong"),
        ("openvino", "inexact"),
    ]
    assert findings[0].places == ("LSTM cell",)
    assert [one.blocks for one in findings] == [True, True, False, True, False]
    assert findings[0].to_dict()["blocks"] is True
    assert findings[0].version == TRIED["tract"]


def test_weights_in_another_file(recurrent: Graph, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save_model(
        recurrent(), path, save_as_external_data=True, location="w.bin", size_threshold=0
    )
    (finding,) = diagnose_graph(path, ["onnxruntime-web"])
    assert (finding.consequence, finding.places) == ("refuses", ("w.bin",))
    assert found(onnx.load(path), "onnxruntime") == {}


def test_every_row_names_known_runtimes_once() -> None:
    for limit in LIMITS:
        named = [name for outcome in limit.outcomes for name in outcome.runtimes.split()]
        assert len(named) == len(set(named)), limit.construct
        assert set(named) <= set(TRIED), limit.construct
        assert limit.avoid
    assert len({limit.construct for limit in LIMITS}) == len(LIMITS)


def test_bad_names_and_bad_files(tmp_path: Path, recurrent: Graph) -> None:
    body = recurrent().SerializeToString()
    with pytest.raises(OptionError, match=r"expected a runtime of onnxruntime, .*'tflite'"):
        diagnose_graph(body, ["tflite"])
    with pytest.raises(OptionError, match=r"release such as onnxruntime@1\.20"):
        diagnose_graph(body, ["onnxruntime@new"])
    with pytest.raises(BundleError, match="absent"):
        diagnose_graph(tmp_path / "absent.onnx")
