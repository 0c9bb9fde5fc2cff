"""States that are zero whatever the input.

`h0 = torch.zeros(layers, x.size(0), hidden)` is what a recurrent layer does by itself: the nodes
that compute its shape are of no use to anyone.
"""

from __future__ import annotations

import onnx_ir as ir

_PASSES_ON = frozenset(
    [
        *("Cast", "Expand", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze"),
        *("Tile", "Transpose", "Unsqueeze"),
    ]
)
"""Operators whose outputs hold nothing but values of their first input."""


def is_zero(value: ir.Value | None) -> bool:
    """Whether every element of `value` is zero, for all that the graph says."""
    if value is None:
        return False
    if value.const_value is not None:
        return not value.const_value.numpy().any()
    node = value.producer()
    if node is None or node.domain:
        return False
    if node.op_type == "ConstantOfShape":
        fill = node.attributes.get("value")
        return fill is None or not fill.as_tensor().numpy().any()
    if node.op_type == "Concat":
        return all(map(is_zero, node.inputs))
    return node.op_type in _PASSES_ON and is_zero(node.inputs[0])
