"""A ReLU RNN step by step, as an ONNX Scan.

tract runs ONNX's RNN with any activation, and computes tanh whatever it says. A Scan it computes
rightly, as does every other runtime that has one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder
from lstm_export.exporting.lowering.steps import by_direction, turned, zeros


def relu_steps(
    builder: Builder, inputs: Sequence[ir.Value], h: ir.Value | None, directions: int
) -> list[ir.Value]:
    """Y (sequence_length, directions, batch, hidden_size) and the final h, as the operator does.

    `inputs` are x (sequence_length, batch, input_size) and the constants W, R and B of the
    operator; h is (directions, batch, hidden_size), None for zero.
    """
    x, *weights = inputs
    W, R, B = (value.const_value.numpy() for value in weights if value.const_value is not None)
    names = [str(value.name) for value in weights]
    columns = builder.weight(f"{names[0]}.T", W.reshape(-1, W.shape[-1]).T)
    total = B.reshape(directions, 2, -1).astype(np.float64).sum(1)
    bias = builder.weight(f"{names[2]}.sum", total.reshape(-1))
    parts = builder.op("Add", [builder.op("MatMul", [x, columns]), bias])
    apart = by_direction(builder, parts, directions)
    one = builder.integers([1])
    parts = builder.concat([builder.op("Unsqueeze", [part, one]) for part in apart], 1)
    start = zeros(builder, x, directions, R.shape[-1]) if h is None else h
    body = _step(builder, builder.weight(f"{names[1]}.T", R.swapaxes(1, 2)))
    final, y = builder.ops("Scan", [start, parts], {"body": body, "num_scan_inputs": 1}, 2)
    if directions == 2:
        halves = builder.ops("Split", [y], {"axis": 1, "num_outputs": 2}, 2)
        y = builder.concat([halves[0], turned(builder, halves[1])], 1)
    return [y, final]


def _step(builder: Builder, R: ir.Value) -> ir.Graph:
    """h before and the input's part; h after, twice."""
    previous, part = (
        ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT))
        for name in ("previous_h", "part_of_x")
    )
    inner = Builder(builder.graph, builder.node)
    h = inner.op("Relu", [inner.op("Add", [inner.op("MatMul", [previous, R]), part])])
    y = inner.op("Identity", [h])
    return ir.Graph([previous, part], [h, y], nodes=inner.tape.nodes, name="relu_step")
