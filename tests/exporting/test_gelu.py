"""GELU in one spelling, whichever a module was written in, and the same value bit by bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import lstm_export
from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.lowering.gelu import plain_gelu

CONSTANTS = {"root": math.sqrt(2), "one": 1.0, "half": 0.5, "other": 0.25}
SPELLINGS = [
    [("Mul", "half", "w", "m"), ("Mul", "z", "m", "y")],  # torch's
    [("Mul", "w", "half", "m"), ("Mul", "m", "z", "y")],
    [("Mul", "z", "w", "m"), ("Mul", "half", "m", "y")],
    [("Mul", "w", "z", "m"), ("Mul", "m", "half", "y")],
    [("Mul", "half", "z", "m"), ("Mul", "w", "m", "y")],
]


def graph(products: list[tuple[str, str, str, str]]) -> ir.Model:
    steps = [
        ("Div", "z", "root", "d"),
        ("Erf", "d", "e"),
        ("Add", "one", "e", "w"),
        *products,
    ]
    nodes = [helper.make_node(kind, list(given), [made]) for kind, *given, made in steps]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "zy"]
    constants = [
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in CONSTANTS.items()
    ]
    main = helper.make_graph(nodes, "main", ends[:1], ends[1:], constants)
    opsets = [helper.make_opsetid("", 18)]
    return ir.from_proto(helper.make_model(main, opset_imports=opsets, ir_version=8))


def run(model: ir.Model) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    z = np.concatenate([np.linspace(-9, 9, 4001), [0.0, -0.0, np.inf, np.nan, 1e38]])
    return session.run(None, {"z": z.astype(np.float32)})[0]


@pytest.mark.parametrize("products", SPELLINGS)
def test_every_spelling_becomes_the_one_that_loads(products: Any) -> None:
    before, after = graph(products), graph(products)
    plain_gelu(after)
    tidy(after)
    nodes = {node.outputs[0].name: node for node in after.graph}
    halved, weight = (nodes[value.name] for value in nodes["y"].inputs)
    assert (halved.op_type, weight.op_type) == ("Mul", "Add")
    assert halved.inputs[0] is after.graph.inputs[0]
    assert [node.op_type for node in after.graph].count("Erf") == 1
    assert run(after).tobytes() == run(before).tobytes()


def test_what_is_no_gelu_stays() -> None:
    for products in (
        [("Mul", "other", "w", "m"), ("Mul", "z", "m", "y")],
        [("Mul", "half", "w", "m"), ("Mul", "d", "m", "y")],
        [("Mul", "half", "w", "m"), ("Add", "z", "m", "y")],
    ):
        model = graph(products)
        before = str(model.graph)
        plain_gelu(model)
        assert str(model.graph) == before


def test_a_module_s_gelu_is_found(tmp_path: Any) -> None:
    path = tmp_path / "model.onnx"
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.GELU()).eval()
    lstm_export.export_onnx(module, (torch.randn(2, 3),), path)
    *_, halved, last = onnx.load(path).graph.node
    assert last.op_type == halved.op_type == "Mul"
    assert last.input[0] == halved.output[0]
