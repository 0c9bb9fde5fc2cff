"""GELU in the one of its spellings that every runtime takes.

z · Φ(z) = z · ½ · (1 + erf(z / √2)). torch writes z · (½ · (1 + erf)), which ends OpenCV's process
when it is loaded: OpenCV takes the five operators for its own GELU and looks for their constants
where they are not. In (z · ½) · (1 + erf) it finds them, and onnxruntime runs one operator for all.
A number is halved exactly whenever that is done, so the value is the same.
"""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder


def plain_gelu(model: ir.Model) -> None:
    """Rewrites every GELU in float32 of `model`, in place, the bodies of loops included."""
    for node in list(ir.traversal.RecursiveGraphIterator(model.graph)):
        if (division := _division(node)) is None:
            continue
        builder = Builder(model.graph, node)
        z = division.inputs[0]
        erf = builder.op("Erf", [builder.op("Div", division.inputs)])
        weight = builder.op("Add", [erf, builder.number(1)])
        halved = builder.op("Mul", [z, builder.number(0.5)])
        builder.replace([builder.op("Mul", [halved, weight])])


def _division(node: ir.Node) -> ir.Node | None:
    """z / √2, if `node` is the last of a GELU: a product of z, ½ and 1 + erf(z / √2)."""
    for first, second in _pairs(node, "Mul"):
        for third, fourth in _pairs(_made(first, "Mul"), "Mul"):
            factors = [second, third, fourth]
            halves = [value for value in factors if _is(value, 0.5)]
            rest = [value for value in factors if not _is(value, 0.5)]
            if len(halves) == 1:
                for z, weight in (rest, rest[::-1]):
                    division = _weighed(weight)
                    if division is not None and division.inputs[0] is z:
                        return division
    return None


def _weighed(weight: ir.Value | None) -> ir.Node | None:
    """z / √2, if `weight` is 1 + erf of it."""
    for erf, one in _pairs(_made(weight, "Add"), "Add"):
        made = _made(erf, "Erf")
        if made is not None and _is(one, 1):
            return _made(made.inputs[0], "Div")
    return None


def _pairs(node: ir.Node | None, op_type: str) -> list[tuple[ir.Value | None, ir.Value | None]]:
    """The two inputs of `node` in both orders, if it is an operator of that type."""
    if node is None or node.op_type != op_type or node.domain:
        return []
    first, second = node.inputs
    return [(first, second), (second, first)]


def _made(value: ir.Value | None, op_type: str) -> ir.Node | None:
    """What makes `value`, if it is an operator of that type."""
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type == op_type and not node.domain else None


def _is(value: ir.Value | None, number: float) -> bool:
    """Whether `value` is that constant in float32, without axes that would widen the result."""
    if value is None or value.const_value is None or value.const_value.dtype != ir.DataType.FLOAT:
        return False
    array = value.const_value.numpy()
    return array.size == 1 and array.ndim <= 1 and bool(array.item() == number)
