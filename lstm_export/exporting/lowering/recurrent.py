"""Opaque nodes to ONNX operators, for a target: recurrent layers, and what packing left.

`portable` gives each layer its own explicit zero state, computed from the input's shape, and
names all outputs: the graph that every runtime with an LSTM was found to accept. `onnxruntime`
leaves absent states out, which saves those nodes, and may say `sequence_lens`.
"""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.exporting.capture.opaque import DOMAIN
from lstm_export.exporting.capture.ragged import LENGTHS, PACK, TRIM, UNPACK
from lstm_export.exporting.capture.recurrent import OP_TYPE
from lstm_export.exporting.lowering.builder import Builder
from lstm_export.exporting.lowering.layers import Layers
from lstm_export.exporting.lowering.lengths import Steps, checked_steps
from lstm_export.exporting.lowering.packing import lower_pack, lower_trim, lower_unpack
from lstm_export.exporting.lowering.ragged import lower_ragged
from lstm_export.exporting.lowering.whole import lower_whole
from lstm_export.exporting.target import Target


def lower_recurrent(model: ir.Model, target: Target) -> None:
    """Replaces every opaque node of `model`, in place, the bodies of loops included."""
    lowering = _Lowering(model.graph, target)
    nodes = list(ir.traversal.RecursiveGraphIterator(model.graph))
    # Lengths are measured first; what is padded again must still see how it was packed.
    for op_type in (LENGTHS, TRIM, UNPACK, PACK, OP_TYPE):
        for node in nodes:
            if (node.domain, node.op_type) == (DOMAIN, op_type) and node.graph is not None:
                lowering.lower(node)
    for graph in model.graphs():
        graph.opset_imports.pop(DOMAIN, None)


class _Lowering:
    def __init__(self, graph: ir.Graph, target: Target) -> None:
        self.graph, self.target = graph, target
        self.measured: dict[ir.Value, Steps] = {}

    def lower(self, node: ir.Node) -> None:
        builder = Builder(self.graph, node)
        first, second, third, fourth, fifth = [*node.inputs, *[None] * 5][:5]
        if node.op_type == LENGTHS:
            builder.replace([self._steps(builder, first, second).lengths])
        elif node.op_type == TRIM:
            lower_trim(builder)
        elif node.op_type == PACK:
            lower_pack(builder, self._steps(builder, second, first), third)
        elif node.op_type == UNPACK:
            lower_unpack(builder, self._steps(builder, third, second), fourth, fifth)
        else:
            layers, steps = Layers(node), None
            if layers.lengths is not None:
                steps = self._steps(builder, layers.lengths, layers.x)
            if steps is None or self.target == "onnxruntime":
                builder.replace(lower_whole(builder, layers, self.target, steps))
            else:
                builder.replace(lower_ragged(builder, layers, steps))

    def _steps(self, builder: Builder, lengths: ir.Value | None, padded: ir.Value | None) -> Steps:
        assert lengths is not None
        assert padded is not None
        if lengths not in self.measured:
            steps = checked_steps(builder, lengths, padded)
            self.measured[steps.lengths] = steps
            return steps
        return self.measured[lengths]
