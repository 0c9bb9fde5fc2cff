"""The nodes of a step as expressions.

What the algebra has no form for becomes a variable, and so does what a cell must not swallow: an
input that is already the result of a matrix product (its product with the gates' weights would be
a larger matrix and more work), or that is scaled and shifted (folding (x − mean) / std into
weights loses digits where mean is far from zero).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.algebra import (
    Expression,
    Gate,
    OpaqueError,
    Variable,
)
from lstm_export.exporting.lowering.recognise.constants import Constants
from lstm_export.exporting.lowering.recognise.operators import OPERATORS
from lstm_export.exporting.lowering.recognise.product import Array
from lstm_export.exporting.lowering.recognise.shapes import batch, width

_FUNCTIONS = ("Sigmoid", "Tanh", "Relu", "Exp")


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
        self._turned: Interpreter | None = None

    def expression(self, value: ir.Value) -> Expression:
        """What `value` is computed as. Raises OpaqueError if its features cannot be counted."""
        if value not in self._known:
            try:
                found = self._follow(value)
            except OpaqueError:
                found = Expression.of(self._variable(value))
            self._known[value] = found
        return self._known[value]

    def turned(self) -> Interpreter:
        """The same step with the features along the other of two axes."""
        if self._turned is None:
            other = Interpreter(-3 - self.axis, self.constants, self.stops, self.is_sequence)
            other._turned, self._turned = self, other
        return self._turned

    def _variable(self, value: ir.Value, size: int | None = None) -> Variable:
        size = size or width(value, self.axis)
        if size is None or batch(value, self.axis) is None:
            raise OpaqueError
        return Variable(value, size, self.axis)

    def _follow(self, value: ir.Value) -> Expression:
        node = value.producer()
        if value in self.stops or node is None or node.domain not in ("", "ai.onnx"):
            raise OpaqueError
        if node.op_type in _FUNCTIONS:
            return Expression.of(Gate(node.op_type, self.operand(node, 0), self._variable(value)))
        operator = OPERATORS.get(node.op_type)
        if operator is None:
            raise OpaqueError
        found = operator(self, node, value)
        if found.width != width(value, self.axis):
            raise OpaqueError
        return found

    def operand(self, node: ir.Node, position: int) -> Expression:
        """An input that is not a constant."""
        source = node.inputs[position]
        if source is None or self.constants(source) is not None:
            raise OpaqueError
        return self.expression(source)

    def broadcast(self, operand: ir.Value | None, value: ir.Value) -> Expression:
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

    def bare(self, value: ir.Value | None, size: int | None = None) -> Expression:
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

    def along_features(self, node: ir.Node, axis: int) -> None:
        """Raises OpaqueError unless `axis` of the first input is that of the features."""
        source = node.inputs[0]
        rank = len(source.shape or ()) if source is not None else 0
        if (axis if axis < 0 else axis - rank) != self.axis:
            raise OpaqueError
