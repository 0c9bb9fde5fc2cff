"""Opaque nodes in the bodies of If, Scan and Loop are lowered like those of the graph itself."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from lstm_export.exporting.capture.opaque import DOMAIN
from lstm_export.exporting.gates import onnx_layers
from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.lowering.recurrent import lower_recurrent
from lstm_export.exporting.target import Target


def branch(name: str, *, ragged: bool) -> onnx.GraphProto:
    attributes = {
        "cell": "lstm",
        "nonlinearity": "tanh",
        "hidden_size": 3,
        "num_layers": 1,
        "batch_first": 0,
        "path": "layer",
    }
    inputs = ["x", "", "", "checked" if ragged else "", "W", "R", "B"]
    outputs = [f"{name}_y", f"{name}_h", f"{name}_c"]
    nodes = [helper.make_node("Recurrent", inputs, outputs, domain=DOMAIN, **attributes)]
    if ragged:
        check = helper.make_node("Lengths", ["lengths", "x"], ["checked"], domain=DOMAIN)
        nodes.insert(0, check)
    infos = [helper.make_tensor_value_info(outputs[0], TensorProto.FLOAT, ["T", "B", 3])]
    return helper.make_graph(nodes, name, [], infos)


@pytest.mark.parametrize("target", ["portable", "onnxruntime"])
def test_layers_in_branches_use_the_weights_around_them(target: Target) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(2, 3)
    weights = onnx_layers(layer)[0]
    node = helper.make_node(
        "If",
        ["whole"],
        ["y"],
        then_branch=branch("then", ragged=False),
        else_branch=branch("else", ragged=True),
    )
    infos = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "main",
        [
            infos("x", TensorProto.FLOAT, ["T", "B", 2]),
            infos("lengths", TensorProto.INT64, ["B"]),
            infos("whole", TensorProto.BOOL, []),
        ],
        [infos("y", TensorProto.FLOAT, ["T", "B", 3])],
        [numpy_helper.from_array(getattr(weights, part).numpy(), part) for part in "WRB"],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    model = ir.from_proto(helper.make_model(graph, opset_imports=opsets, ir_version=8))
    lower_recurrent(model, target)
    tidy(model)
    content = ir.to_proto(model).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert len(model.graph.initializers) >= 3
    x, lengths = torch.randn(6, 2, 2), torch.tensor([6, 3])
    with torch.no_grad():
        whole = layer(x)[0].numpy()
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths)
        cut = nn.utils.rnn.pad_packed_sequence(layer(packed)[0])[0].numpy()
    for flag, expected in ((True, whole), (False, cut)):
        feeds = {"x": x.numpy(), "lengths": lengths.numpy(), "whole": np.array(flag)}
        np.testing.assert_allclose(session.run(None, feeds)[0], expected, atol=1e-6)
