"""What an opaque recurrent node holds, read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from lstm_export.contract import CELLS, Cell
from lstm_export.exporting.lowering.builder import Floats
from lstm_export.exporting.lowering.zeros import is_zero


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer, as `gates.LayerWeights` has them."""

    W: Floats
    R: Floats
    B: Floats
    P: Floats | None

    def direction(self, index: int) -> Layer:
        """One of its directions, as a layer of its own."""
        part = slice(index, index + 1)
        P = None if self.P is None else self.P[part]
        return Layer(self.W[part], self.R[part], self.B[part], P)


class Layers:
    """The stack of layers that one node stands for.

    `x` is what goes in, `h` and `c` the initial states of all layers, `lengths` (batch,) those of
    a padded batch; absent ones are None, and so are states that are zero anyway.
    """

    def __init__(self, node: ir.Node) -> None:
        self.node, attributes = node, node.attributes
        cell = attributes["cell"].as_string()
        self.cell: Cell = next(known for known in CELLS if known == cell)
        self.activation = "Relu" if attributes["nonlinearity"].as_string() == "relu" else "Tanh"
        self.hidden_size = attributes["hidden_size"].as_int()
        self.batch_first = bool(attributes["batch_first"].as_int())
        self.path = attributes["path"].as_string()
        count = attributes["num_layers"].as_int()
        inputs = [*node.inputs, *[None] * (4 + 4 * count - len(node.inputs))]
        self.x, self.lengths = inputs[0], inputs[3]
        self.h, self.c = (None if is_zero(state) else state for state in inputs[1:3])
        self.layers = [
            Layer(*(_array(value) for value in inputs[start : start + 4]))
            for start in range(4, 4 + 4 * count, 4)
        ]
        self.directions = len(self.layers[0].W)
        final_c = node.outputs[2] if cell == "lstm" else None
        self.wants_final_c = final_c is not None and bool(
            final_c.uses() or final_c.is_graph_output()
        )

    def name(self, layer: int, suffix: str = "") -> str:
        """What the weights of a layer are called by."""
        return f"{self.path}.{layer}{suffix}".lstrip(".")


def _array(value: ir.Value | None) -> Any:
    if value is None:
        return None
    assert value.const_value is not None, f"{value.name} is not a constant"
    return value.const_value.numpy()
