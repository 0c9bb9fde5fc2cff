"""A projected LSTM (torch's `proj_size`) step by step, as an ONNX Scan.

The fused operator multiplies with R·P, 4·hidden_size · hidden_size numbers a step, where the layer
itself has 4·hidden_size · proj_size and proj_size · hidden_size. Against that, each step of a Scan
costs a dozen nodes. Where that pays was measured: docs/decisions.md, benchmarks/projection.py.

The input's product is done for all steps before the loop, and both directions go through it as one
batch of matrices, the second one turned round in time before and after.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder
from lstm_export.exporting.lowering.layers import Layer, Layers
from lstm_export.exporting.lowering.steps import by_direction, turned, zeros

WORTH = 100_000
"""From so many multiplications saved in a step, a Scan is as fast as the operator, or faster."""


def scan_pays(hidden_size: int, proj_size: int) -> bool:
    """Whether onnxruntime is faster step by step, over batches of 1 and 16 alike."""
    return hidden_size * (4 * hidden_size - 5 * proj_size) >= WORTH


def scanned_layer(
    builder: Builder,
    layers: Layers,
    index: int,
    x: ir.Value,
    h: ir.Value | None,
    c: ir.Value | None,
) -> list[ir.Value]:
    """y (sequence_length, batch, directions · proj_size), final h and c.

    x is (sequence_length, batch, input_size), h (directions, batch, proj_size) and c (directions,
    batch, hidden_size); absent states are zero.
    """
    layer, directions = layers.layers[index], layers.directions
    assert layer.P is not None
    W = builder.weight(layers.name(index, ".W.T"), layer.W.reshape(-1, layer.W.shape[-1]).T)
    bias = layer.B.reshape(directions, 2, -1).astype(np.float64).sum(1)
    B = builder.weight(layers.name(index, ".bias"), bias.reshape(-1))
    gates = builder.op("Add", [builder.op("MatMul", [x, W]), B])
    parts = by_direction(builder, gates, directions)
    gates = builder.concat([builder.op("Unsqueeze", [p, builder.integers([1])]) for p in parts], 1)
    sizes = (layer.P.shape[1], layers.hidden_size)
    states = [
        zeros(builder, x, directions, size) if state is None else state
        for state, size in zip((h, c), sizes, strict=True)
    ]
    body = _body(builder, layers, index, layer)
    h, c, y = builder.ops("Scan", [*states, gates], {"body": body, "num_scan_inputs": 1}, 3)
    if directions == 1:
        return [builder.op("Squeeze", [y, builder.integers([1])]), h, c]
    halves = [builder.op("Gather", [y, builder.integer(d)], {"axis": 1}) for d in (0, 1)]
    return [builder.concat([halves[0], turned(builder, halves[1])], -1), h, c]


def _body(builder: Builder, layers: Layers, index: int, layer: Layer) -> ir.Graph:
    """One step: h and c before, the input's part of the gates; h and c after, and h again."""
    assert layer.P is not None
    size = layers.hidden_size
    previous_h, previous_c, part = (
        ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT))
        for name in ("previous_h", "previous_c", "gates_of_x")
    )
    inner = Builder(builder.graph, builder.node)
    R = builder.weight(layers.name(index, ".R.T"), layer.R.swapaxes(1, 2))
    P = builder.weight(layers.name(index, ".P"), layer.P.swapaxes(1, 2))
    gates = inner.op("Add", [inner.op("MatMul", [previous_h, R]), part])
    # ONNX's order: i, o, f, then the candidate.
    three, candidate = inner.ops(
        "Split", [gates, builder.integers([3 * size, size])], {"axis": 2}, 2
    )
    i, o, f = inner.ops("Split", [inner.op("Sigmoid", [three])], {"axis": 2, "num_outputs": 3}, 3)
    new = inner.op("Mul", [i, inner.op("Tanh", [candidate])])
    c = inner.op("Add", [inner.op("Mul", [f, previous_c]), new])
    h = inner.op("MatMul", [inner.op("Mul", [o, inner.op("Tanh", [c])]), P])
    y = inner.op("Identity", [h])
    return ir.Graph(
        [previous_h, previous_c, part], [h, c, y], nodes=inner.tape.nodes, name="projected_step"
    )
