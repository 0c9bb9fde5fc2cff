"""Numbers that a graph knows before it runs: parameters, and what is computed from them alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from lstm_export.exporting.lowering.recognise.product import ordered_product

Numbers = npt.NDArray[Any]

# What weights are normalised, reordered and joined by.
_FOLDED = {
    *("Abs", "Add", "Cast", "Concat", "Constant", "ConstantOfShape", "Div", "Exp", "Expand"),
    *("Flatten", "Gather", "Identity", "MatMul", "Mul", "Neg", "Pow", "Range", "Reciprocal"),
    *("ReduceL2", "ReduceMean", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Shape"),
    *("Sigmoid", "Slice", "Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Tanh", "Tile"),
    *("Transpose", "Unsqueeze"),
}


class Constants:
    """The numbers behind the values of a model, floats in float64.

    float64, because the reference that a file is judged by computes a weight's normalisation in it.
    """

    def __init__(self) -> None:
        self._known: dict[ir.Value, Numbers | None] = {}

    def __call__(self, value: ir.Value | None) -> Numbers | None:
        """The number, or None where it depends on an input."""
        if value is None:
            return None
        if value not in self._known:
            self._known[value] = self._read(value)
        return self._known[value]

    def integers(self, value: ir.Value | None) -> list[int] | None:
        """The number as a list of integers."""
        known = self(value)
        return None if known is None else [int(number) for number in np.atleast_1d(known)]

    def is_zero(self, value: ir.Value | None) -> bool:
        """Whether every number in `value` is zero, whatever its shape turns out to be."""
        if value is None:
            return False
        known = self(value)
        if known is not None:
            return not known.any()
        node = value.producer()
        if node is None:
            return False
        if node.op_type == "ConstantOfShape":
            fill = node.attributes.get("value")
            return fill is None or not fill.as_tensor().numpy().any()
        if node.op_type in _MOVING:
            return self.is_zero(node.inputs[0])
        if node.op_type == "Concat":
            return all(self.is_zero(part) for part in node.inputs)
        if node.op_type == "Mul":
            # 0 · x is zero only where x is finite, so both have to be.
            return all(self.is_zero(factor) for factor in node.inputs)
        return False

    def _read(self, value: ir.Value) -> Numbers | None:
        if value.const_value is not None:
            return _wide(value.const_value.numpy())
        node = value.producer()
        if node is None or node.domain not in ("", "ai.onnx") or node.op_type not in _FOLDED:
            return None
        given = [self(part) for part in node.inputs]
        if any(
            part is not None and number is None
            for part, number in zip(node.inputs, given, strict=True)
        ):
            return None
        if node.op_type == "MatMul":
            a, b = (np.asarray(number) for number in given)
            if a.ndim == 2 and b.ndim in (1, 2):
                return ordered_product(a, b)
        try:
            return _evaluated(node, given)[value.index() or 0]
        except (RuntimeError, TypeError, ValueError, NotImplementedError):
            return None  # the evaluator lacks this operator for these types


_MOVING = {
    *("Expand", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Slice", "Gather", "Transpose"),
    *("Cast", "CastLike", "Split", "Neg", "Tile", "Flatten"),
}


def _evaluated(node: ir.Node, given: list[Numbers | None]) -> list[Numbers]:
    names = ["" if number is None else f"input_{i}" for i, number in enumerate(given)]
    inputs = [None if not name else ir.Value(name=name) for name in names]
    alone = ir.Node(
        "",
        node.op_type,
        inputs,
        attributes=list(node.attributes.values()),
        outputs=[ir.Value(name=f"output_{i}") for i in range(len(node.outputs))],
    )
    session = ReferenceEvaluator(ir.to_proto(alone))
    feeds = {name: n for name, n in zip(names, given, strict=True) if n is not None}
    return [_wide(np.asarray(output)) for output in session.run(None, feeds)]


def _wide(array: Numbers) -> Numbers:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
