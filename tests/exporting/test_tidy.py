"""Tidying: bodies of Scan like the graph around them, parameters under their own names."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from onnx import parser

from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.graph.walk import graphs

SCAN = """
<ir_version: 8, opset_import: ["" : 18]>
traced (float[batch, 4] state, float[s77, batch, 4] x) => (float[batch, 4] last)
<float[4] add_1 = {1, 2, 3, 4}, float[1] val_0 = {0.5}, float[1] unused = {0}>
{
    dead, s77_1 = Scan <num_scan_inputs = 1, body = inside
        (float[s0, 4] h, float[s0, 4] x_t) => (float[s0, 4] new, float[s0, 4] y_t)
        <float[1] val_1 = {2}>
        {
            never = Exp (h)
            scaled = Mul (x_t, val_0)
            shifted = Add (scaled, add_1)
            twice = Mul (shifted, val_1)
            new = Tanh (twice)
            y_t = Identity (new)
        }> (state, x)
    nobody = Scan <num_scan_inputs = 1, body = other
        (float[s0, 4] x_t) => (float[s0, 4] y_t) { y_t = Add (x_t, unused) }> (x)
    last = Add (dead, add_1)
}
"""


def tidied() -> ir.Model:
    model = ir.from_proto(parser.parse_model(SCAN))
    for graph in graphs(model.graph):
        for node in graph:
            node.metadata_props["pkg.torch.onnx.stack_trace"] = "/home/somebody/model.py"
            node.doc_string = "traced in /home/somebody/model.py"
    tidy(model)
    return model


def names(model: ir.Model) -> list[str]:
    return [
        value.name or ""
        for graph in graphs(model.graph)
        for value in (
            *graph.inputs,
            *graph.initializers.values(),
            *(output for node in graph for output in node.outputs),
        )
    ]


def test_bodies_are_stripped_and_named_like_the_graph_around_them() -> None:
    model = tidied()
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    assert b"somebody" not in proto.SerializeToString()
    assert len(set(names(model))) == len(names(model))
    assert [node.op_type for node in model.graph] == ["Scan", "Add"]
    body = next(node for node in model.graph).attributes["body"].as_graph()
    assert [node.op_type for node in body] == ["Mul", "Add", "Mul", "Tanh", "Identity"]
    assert [str(dim) for dim in body.inputs[0].shape or ()] == ["None", "4"]


def test_a_parameter_called_like_a_node_keeps_apart_from_it() -> None:
    initializers = tidied().graph.initializers
    assert list(initializers) == ["constant_1", "add_1_"]


def test_tidying_changes_no_number_and_not_twice() -> None:
    model = tidied()
    once = ir.to_proto(model).SerializeToString(deterministic=True)
    tidy(model)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == once
    x = np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 2, 4)
    feeds = {"state": np.zeros((2, 4), np.float32), "x": x}
    before = parser.parse_model(SCAN).SerializeToString()
    results = [
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, feeds)
        for content in (before, once)
    ]
    np.testing.assert_array_equal(results[0], results[1])
