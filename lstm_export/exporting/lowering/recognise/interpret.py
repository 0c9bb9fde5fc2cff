"""The nodes of a step as expressions.

What the algebra has no form for becomes a variable, and so does what a cell must not swallow: an
input that is already the result of a matrix product (its product with the gates' weights would be
a larger matrix and more work), or that is scaled and shifted (folding (x − mean) / std into
weights loses digits where mean is far from zero).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.algebra import (
    Expression,
    Gate,
    TooLargeError,
    Variable,
)
from lstm_export.exporting.lowering.recognise.constants import Constants
from lstm_export.exporting.lowering.recognise.product import Array
from lstm_export.exporting.lowering.recognise.shapes import batch, outline, width

_FUNCTIONS = ("Sigmoid", "Tanh", "Relu", "Exp")


class OpaqueError(Exception):
    """A node that the algebra has no form for."""


class Interpreter:
    """Expressions of the values of one step, whose features lie along the negative `axis`.

    `stops` are read as they are: states, and outputs of cells already found. `is_sequence` tells
    which values do not depend on a state that is still unknown. `definitions` are of values that
    the step does not compute itself.
    """

    def __init__(
        self,
        axis: int,
        constants: Constants,
        stops: set[ir.Value],
        is_sequence: Callable[[ir.Value], bool],
        definitions: Mapping[ir.Value, Expression] | None = None,
    ) -> None:
        self.axis, self.constants, self.stops = axis, constants, stops
        self.is_sequence = is_sequence
        self._known: dict[ir.Value, Expression] = dict(definitions or {})

    def expression(self, value: ir.Value) -> Expression:
        """What `value` is computed as. Raises OpaqueError if its features cannot be counted."""
        if value not in self._known:
            try:
                found = self._follow(value)
            except (OpaqueError, TooLargeError):
                found = Expression.of(self._variable(value))
            self._known[value] = found
        return self._known[value]

    def _variable(self, value: ir.Value, size: int | None = None) -> Variable:
        size = size or width(value, self.axis)
        if size is None or batch(value, self.axis) is None:
            raise OpaqueError
        return Variable(value, size)

    def _follow(self, value: ir.Value) -> Expression:
        node = value.producer()
        if value in self.stops or node is None or node.domain not in ("", "ai.onnx"):
            raise OpaqueError
        if node.op_type in _FUNCTIONS:
            return Expression.of(Gate(node.op_type, self._operand(node, 0), value))
        method = getattr(self, f"_{node.op_type.lower()}", None)
        if method is None:
            raise OpaqueError
        found: Expression = method(node, value)
        if found.width != width(value, self.axis):
            raise OpaqueError
        return found

    # Arithmetic

    def _add(self, node: ir.Node, value: ir.Value) -> Expression:
        a, b = self._pair(node, value)
        return a + b

    def _sub(self, node: ir.Node, value: ir.Value) -> Expression:
        a, b = self._pair(node, value)
        return a + -b

    def _mul(self, node: ir.Node, value: ir.Value) -> Expression:
        a, b = self._pair(node, value)
        return a * b

    def _neg(self, node: ir.Node, value: ir.Value) -> Expression:
        return -self._operand(node, 0)

    def _div(self, node: ir.Node, value: ir.Value) -> Expression:
        a, b = self._pair(node, value)
        divisor = _only_constant(b)
        if divisor is not None and divisor.all():
            return a.scaled(1 / divisor)
        dividend = _only_constant(a)
        if dividend is None or not (dividend == 1).all():
            raise OpaqueError
        return _sigmoid_by_exp(b)

    def _reciprocal(self, node: ir.Node, value: ir.Value) -> Expression:
        return _sigmoid_by_exp(self._operand(node, 0))

    def _sum(self, node: ir.Node, value: ir.Value) -> Expression:
        parts = [self._broadcast(part, value) for part in node.inputs]
        return sum(parts[1:], parts[0])

    def _matmul(self, node: ir.Node, value: ir.Value) -> Expression:
        a, b = node.inputs
        left, right = self.constants(a), self.constants(b)
        if right is not None and right.ndim == 2 and self.axis == -1:
            return self._bare(a, len(right)).times(right.T)
        vector = b is not None and b.shape is not None and len(b.shape) == 1
        if left is not None and left.ndim == 2 and (vector or self.axis == -2):
            return self._bare(b, left.shape[1]).times(left)
        raise OpaqueError

    def _gemm(self, node: ir.Node, value: ir.Value) -> Expression:
        options = node.attributes
        trans_a, trans_b = (_integer(options, name, 0) for name in ("transA", "transB"))
        alpha, beta = (_float(options, name, 1.0) for name in ("alpha", "beta"))
        a, b, c = [*node.inputs, None][:3]
        left, right = self.constants(a), self.constants(b)
        if right is not None and not trans_a and self.axis == -1:
            matrix = right if trans_b else right.T
            product = self._bare(a, matrix.shape[1]).times(matrix)
        elif left is not None and not trans_b and self.axis == -2:
            matrix = left.T if trans_a else left
            product = self._bare(b, matrix.shape[1]).times(matrix)
        else:
            raise OpaqueError
        product = product.scaled(np.full(product.width, alpha))
        if c is None:
            return product
        return product + self._broadcast(c, value).scaled(np.full(product.width, beta))

    # Moving features

    def _concat(self, node: ir.Node, value: ir.Value) -> Expression:
        self._along_features(node, value, _integer(node.attributes, "axis", 0))
        if any(self.constants(part) is not None for part in node.inputs):
            raise OpaqueError
        return Expression.joined([self._bare(part) for part in node.inputs])

    def _split(self, node: ir.Node, value: ir.Value) -> Expression:
        self._along_features(node, value, _integer(node.attributes, "axis", 0))
        whole = self._operand(node, 0)
        if len(node.inputs) > 1 and node.inputs[1] is not None:
            sizes = self.constants.integers(node.inputs[1])
            if sizes is None:
                raise OpaqueError
        else:
            each = -(-whole.width // len(node.outputs))
            sizes = [each] * len(node.outputs)
        position = node.outputs.index(value)
        start = sum(sizes[:position])
        return whole.part(np.arange(start, min(start + sizes[position], whole.width)))

    def _slice(self, node: ir.Node, value: ir.Value) -> Expression:
        starts, ends, axes, steps = (
            self.constants.integers(part) for part in [*node.inputs[1:], None, None][:4]
        )
        if starts is None or ends is None or len(starts) != 1 or (axes is None and self.axis != -1):
            raise OpaqueError
        rank = len(value.shape or ())
        self._along_features(node, value, axes[0] if axes is not None else 0 if rank == 1 else 99)
        whole = self._operand(node, 0)
        chosen = slice(starts[0], ends[0], steps[0] if steps else 1)
        return whole.part(np.arange(whole.width)[chosen])

    def _gather(self, node: ir.Node, value: ir.Value) -> Expression:
        self._along_features(node, value, _integer(node.attributes, "axis", 0))
        index = self.constants(node.inputs[1])
        if index is None or index.ndim != 1:
            raise OpaqueError
        whole = self._operand(node, 0)
        return whole.part(np.arange(whole.width)[index.astype(np.int64)])

    def _identity(self, node: ir.Node, value: ir.Value) -> Expression:
        source = node.inputs[0]
        assert source is not None
        if outline(source, self.axis) != outline(value, self.axis):
            raise OpaqueError
        return self.expression(source)

    # Axes of size 1 come and go; features and batch stay what they are.
    _squeeze = _unsqueeze = _reshape = _flatten = _identity

    # Operands

    def _operand(self, node: ir.Node, position: int) -> Expression:
        source = node.inputs[position]
        if source is None or self.constants(source) is not None:
            raise OpaqueError
        return self.expression(source)

    def _pair(self, node: ir.Node, value: ir.Value) -> tuple[Expression, Expression]:
        a, b = (self._broadcast(part, value) for part in node.inputs)
        return a, b

    def _broadcast(self, operand: ir.Value | None, value: ir.Value) -> Expression:
        """An operand of an elementwise `value`, of its width and over its batch."""
        size = width(value, self.axis)
        assert operand is not None
        if size is None:
            raise OpaqueError
        numbers = self.constants(operand)
        if numbers is not None:
            return Expression.constant(self._vector(numbers, size))
        found = self.expression(operand)
        if found.width != size or batch(operand, self.axis) != batch(value, self.axis):
            raise OpaqueError
        return found

    def _vector(self, numbers: Array, size: int) -> Array:
        """A constant that is the same for the whole batch, as (size,)."""
        shape = list(numbers.shape)
        features = shape.pop(self.axis) if len(shape) >= -self.axis else 1
        if any(length != 1 for length in shape) or features not in (1, size):
            raise OpaqueError
        return np.broadcast_to(numbers.astype(np.float64).reshape(-1), (size,)).copy()

    def _bare(self, value: ir.Value | None, size: int | None = None) -> Expression:
        """What a matrix is applied to: of an input, the tensor itself, `size` features wide."""
        assert value is not None
        if self.is_sequence(value):
            found = self._known.get(value)
            if found is None and width(value, self.axis) is not None:
                found = self.expression(value)
            if found is None or not isinstance(found.atom, Variable):
                return Expression.of(self._variable(value, size))
            return found
        return self.expression(value)

    def _along_features(self, node: ir.Node, value: ir.Value, axis: int) -> None:
        source = node.inputs[0]
        rank = len(source.shape or ()) if source is not None else 0
        if (axis if axis < 0 else axis - rank) != self.axis:
            raise OpaqueError


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
