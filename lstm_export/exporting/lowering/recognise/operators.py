"""ONNX operators on expressions: the arithmetic of a cell, and what moves features about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.algebra import Expression, Gate, OpaqueError
from lstm_export.exporting.lowering.recognise.einsum import matrix_of
from lstm_export.exporting.lowering.recognise.grouped import grouped
from lstm_export.exporting.lowering.recognise.product import Array
from lstm_export.exporting.lowering.recognise.shapes import outline

if TYPE_CHECKING:
    from lstm_export.exporting.lowering.recognise.interpret import Interpreter


def _add(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    a, b = _pair(step, node, value)
    return a + b


def _sub(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    a, b = _pair(step, node, value)
    return a + -b


def _mul(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    a, b = _pair(step, node, value)
    return a * b


def _neg(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    return -step.operand(node, 0)


def _div(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    a, b = _pair(step, node, value)
    divisor = _only_constant(b)
    if divisor is not None and divisor.all():
        return a.scaled(1 / divisor)
    dividend = _only_constant(a)
    if dividend is None or not (dividend == 1).all():
        raise OpaqueError
    return _sigmoid_by_exp(b)


def _reciprocal(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    return _sigmoid_by_exp(step.operand(node, 0))


def _sum(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    parts = [step.broadcast(part, value) for part in node.inputs]
    return sum(parts[1:], parts[0])


def _matmul(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    a, b = node.inputs
    left, right = step.constants(a), step.constants(b)
    if right is not None and right.ndim == 2 and step.axis == -1:
        return step.bare(a, len(right)).times(right.T)
    vector = b is not None and b.shape is not None and len(b.shape) == 1
    if left is not None and left.ndim == 2 and (vector or step.axis == -2):
        return step.bare(b, left.shape[1]).times(left)
    raise OpaqueError


def _gemm(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    options = node.attributes
    trans_a, trans_b = (_integer(options, name, 0) for name in ("transA", "transB"))
    alpha, beta = (_float(options, name, 1.0) for name in ("alpha", "beta"))
    a, b, c = [*node.inputs, None][:3]
    left, right = step.constants(a), step.constants(b)
    if right is not None and not trans_a and step.axis == -1:
        matrix = right if trans_b else right.T
        product = step.bare(a, matrix.shape[1]).times(matrix)
    elif left is not None and not trans_b and step.axis == -2:
        matrix = left.T if trans_a else left
        product = step.bare(b, matrix.shape[1]).times(matrix)
    else:
        raise OpaqueError
    product = product.scaled(np.full(product.width, alpha))
    if c is None:
        return product
    return product + step.broadcast(c, value).scaled(np.full(product.width, beta))


def _einsum(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    equation = node.attributes["equation"].as_string()
    for position in range(len(node.inputs)):
        numbers = step.constants(node.inputs[position])
        if numbers is not None and len(node.inputs) == 2:
            matrix = matrix_of(equation, position, numbers, step.axis)
            if matrix is not None:
                return step.bare(node.inputs[1 - position], matrix.shape[1]).times(matrix)
    raise OpaqueError


def _where(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    # torch.lerp has one form for weights below a half and another above.
    a, b = (step.broadcast(part, value) for part in node.inputs[1:])
    if a.key != b.key:
        raise OpaqueError
    return a


def _concat(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    step.along_features(node, _integer(node.attributes, "axis", 0))
    if any(step.constants(part) is not None for part in node.inputs):
        raise OpaqueError
    return Expression.joined([step.bare(part) for part in node.inputs])


def _split(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    step.along_features(node, _integer(node.attributes, "axis", 0))
    whole = step.operand(node, 0)
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        sizes = step.constants.integers(node.inputs[1])
        if sizes is None:
            raise OpaqueError
    else:
        each = -(-whole.width // len(node.outputs))
        sizes = [each] * len(node.outputs)
    position = node.outputs.index(value)
    start = sum(sizes[:position])
    return whole.part(np.arange(start, min(start + sizes[position], whole.width)))


def _slice(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    starts, ends, axes, steps = (
        step.constants.integers(part) for part in [*node.inputs[1:], None, None][:4]
    )
    if starts is None or ends is None or len(starts) != 1:
        raise OpaqueError
    step.along_features(node, axes[0] if axes else 0)
    whole = step.operand(node, 0)
    chosen = slice(starts[0], ends[0], steps[0] if steps else 1)
    return whole.part(np.arange(whole.width)[chosen])


def _gather(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    axis, index = _integer(node.attributes, "axis", 0), step.constants(node.inputs[1])
    groups = grouped(node.inputs[0], step)
    if groups is not None and index is not None and index.ndim == 0 and axis == groups.axis:
        return groups.group(int(index))
    step.along_features(node, axis)
    if index is None or index.ndim != 1:
        raise OpaqueError
    whole = step.operand(node, 0)
    return whole.part(np.arange(whole.width)[index.astype(np.int64)])


def _identity(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    source = node.inputs[0]
    assert source is not None
    if outline(source, step.axis) != outline(value, step.axis):
        raise OpaqueError
    return step.expression(source)


def _squeeze(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    groups = grouped(node.inputs[0], step)
    if groups is not None and groups.count == 1 and len(node.inputs) > 1:
        rank = len(value.shape or ()) + 1
        axes = step.constants.integers(node.inputs[1]) or []
        if [axis % rank for axis in axes] == [groups.axis]:
            return groups.group(0)
    return _identity(step, node, value)


def _transpose(step: Interpreter, node: ir.Node, value: ir.Value) -> Expression:
    order, source = node.attributes.get("perm"), node.inputs[0]
    if source is None or len(value.shape or ()) != 2:
        raise OpaqueError
    if order is not None and list(order.as_ints()) != [1, 0]:
        raise OpaqueError
    return step.turned().expression(source)


def _pair(step: Interpreter, node: ir.Node, value: ir.Value) -> tuple[Expression, Expression]:
    a, b = (step.broadcast(part, value) for part in node.inputs)
    return a, b


def _only_constant(expression: Expression) -> Array | None:
    if all(not monomial for monomial, _ in expression.monomials):
        return next((values for _, values in expression.monomials), np.zeros(expression.width))
    return None


def _sigmoid_by_exp(divisor: Expression) -> Expression:
    """1 / (1 + exp(−a)) is sigmoid(a)."""
    rest = divisor + Expression.constant(np.full(divisor.width, -1.0))
    if isinstance(rest.atom, Gate) and rest.atom.function == "Exp":
        return Expression.of(Gate("Sigmoid", -rest.atom.argument))
    raise OpaqueError


def _integer(attributes: Any, name: str, default: int) -> int:
    attribute = attributes.get(name)
    return default if attribute is None else int(attribute.as_int())


def _float(attributes: Any, name: str, default: float) -> float:
    attribute = attributes.get(name)
    return default if attribute is None else float(attribute.as_float())


Operator = Callable[["Interpreter", ir.Node, ir.Value], Expression]

OPERATORS: dict[str, Operator] = {
    "Add": _add,
    "Sub": _sub,
    "Mul": _mul,
    "Neg": _neg,
    "Div": _div,
    "Reciprocal": _reciprocal,
    "Sum": _sum,
    "Where": _where,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Einsum": _einsum,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    # Axes of size 1 come and go; features and batch stay what they are.
    **dict.fromkeys(("Identity", "Unsqueeze", "Reshape", "Flatten"), _identity),
}
"""By operator; what is not here is a variable."""
