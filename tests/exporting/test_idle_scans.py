"""A loop that has no use for its steps: the Scan reads them all the same, and no number changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

import lstm_export
from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.lowering.idle_scans import read_steps


class Free(nn.Module):
    """Runs on from the first row, as far as there are rows; `of` chooses what it gives."""

    def __init__(self, of: Callable[[list[Tensor]], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.next, self.of = nn.Linear(3, 4), nn.Linear(4, 4), of

    def forward(self, x: Tensor) -> Any:
        states = [torch.tanh(self.first(x[:, 0]))]
        for _ in range(x.size(1)):
            states.append(torch.tanh(self.next(states[-1])))
        return self.of(states[1:])


def last(states: list[Tensor]) -> Tensor:
    return states[-1]


def every(states: list[Tensor]) -> Tensor:
    return torch.stack(states, 1)


def bodies(model: onnx.ModelProto) -> list[onnx.GraphProto]:
    scans = [node for node in model.graph.node if node.op_type == "Scan"]
    return [one.g for scan in scans for one in scan.attribute if one.name == "body"]


@pytest.mark.parametrize("of", [last, every])
def test_the_portable_body_reads_what_it_scans(of: Any, tmp_path: Any) -> None:
    answers, reads = [], []
    for target in ("portable", "onnxruntime"):
        path = tmp_path / f"{target}.onnx"
        lstm_export.export_onnx(Free(of).eval(), (torch.randn(2, 5, 3),), path, target=target)
        (body,) = bodies(onnx.load(path))
        reads.append(any(body.input[-1].name in node.input for node in body.node))
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        x = np.random.default_rng(0).normal(size=(3, 9, 3)).astype(np.float32)
        answers.append([session.run(None, {"x": x[:, :n]})[0].tobytes() for n in (1, 9, 4)])
    assert reads == [True, False]
    assert answers[0] == answers[1]


def scan(dtype: int, scanned: int, result: str, copy: str = "Identity") -> ir.Model:
    """The sign of a state of `dtype` changed for each entry of x; its final value, or all."""
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Identity" if dtype == TensorProto.BOOL else "Neg", ["s"], ["state"]),
        helper.make_node(copy, ["state", "entry"][: 1 + (copy != "Identity")], ["copy"]),
    ]
    ends = [info("s", dtype, ["n"]), info("entry", scanned, [2])]
    body = helper.make_graph(
        nodes, "body", ends, [info("state", dtype, ["n"]), info("copy", dtype, ["n"])]
    )
    node = helper.make_node("Scan", ["start", "x"], ["final", "all"], body=body, num_scan_inputs=1)
    shape = ["n"] if result == "final" else ["T", "n"]
    graph = helper.make_graph(
        [node],
        "main",
        [info("start", dtype, ["n"]), info("x", scanned, ["T", 2])],
        [info(result, dtype, shape)],
    )
    opsets = [helper.make_opsetid("", 18)]
    return ir.from_proto(helper.make_model(graph, opset_imports=opsets, ir_version=8))


def run(model: ir.Model, feeds: dict[str, Any]) -> Any:
    content = ir.to_proto(model).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


@pytest.mark.parametrize("result", ["final", "all"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_whatever_is_scanned_no_bit_changes(dtype: str, result: str) -> None:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    start = np.array([0, 1, -3]) if dtype == "int64" else np.array([-0.0, np.nan, np.inf, 3])
    feeds = {"start": start.astype(dtype), "x": np.full((5, 2), np.nan, np.float32)}
    before, after = (scan(kind, TensorProto.FLOAT, result) for _ in range(2))
    read_steps(after)
    tidy(after)
    (body,) = bodies(ir.to_proto(after))
    assert [node.op_type for node in body.node].count("Sub") == 1
    assert run(after, feeds).tobytes() == run(before, feeds).tobytes()


def test_a_body_that_reads_or_has_no_number_stays() -> None:
    flags = scan(TensorProto.BOOL, TensorProto.FLOAT, "all")
    reading = scan(TensorProto.FLOAT, TensorProto.FLOAT, "all", copy="Max")
    for model in (flags, reading):
        before = str(model.graph)
        read_steps(model)
        assert str(model.graph) == before
