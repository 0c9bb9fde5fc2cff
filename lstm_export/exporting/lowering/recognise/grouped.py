"""Gates laid out along an axis of their own, `gates.view(batch, 4, hidden)`, and taken from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.algebra import Expression
from lstm_export.exporting.lowering.recognise.shapes import dims

if TYPE_CHECKING:
    from lstm_export.exporting.lowering.recognise.interpret import Interpreter


@dataclass(frozen=True, slots=True)
class Grouped:
    """Features in `count` groups, which lie along `axis`, counted from the front."""

    expression: Expression
    axis: int
    count: int

    def group(self, index: int) -> Expression:
        """The features of one group."""
        size = self.expression.width // self.count
        return self.expression.part(np.arange(size) + index % self.count * size)

    def some(self, chosen: slice) -> Grouped:
        """Some of the groups."""
        size, indices = self.expression.width // self.count, range(self.count)[chosen]
        rows = [np.arange(size) + index * size for index in indices]
        kept = np.concatenate(rows) if rows else np.arange(0)
        return Grouped(self.expression.part(kept), self.axis, len(indices))


def grouped(value: ir.Value | None, interpreter: Interpreter) -> Grouped | None:
    """`value` read as groups, or None. The features within a group lie along the last axis."""
    node = value.producer() if value is not None else None
    if value is None or node is None or interpreter.axis != -1:
        return None
    source, constants = node.inputs[0] if node.inputs else None, interpreter.constants
    if node.op_type == "Reshape" and source is not None:
        return _from_reshape(source, value, interpreter)
    inner = (
        grouped(source, interpreter) if node.op_type in ("Transpose", "Slice", "Split") else None
    )
    if inner is None:
        return None
    if node.op_type == "Transpose":
        order = list(node.attributes["perm"].as_ints())
        others = [axis for axis in order if axis != inner.axis]
        if others != sorted(others) or order[-1] != len(order) - 1:
            return None
        return Grouped(inner.expression, order.index(inner.axis), inner.count)
    rank = len(value.shape or ())
    if node.op_type == "Slice":
        limits = [constants.integers(part) for part in [*node.inputs[1:], None][:4]]
        starts, ends, axes, steps = limits
        if not starts or not ends or not axes or len(axes) != 1 or axes[0] % rank != inner.axis:
            return None
        return inner.some(slice(starts[0], ends[0], steps[0] if steps else 1))
    axis = node.attributes.get("axis")
    if len(node.outputs) != inner.count or (axis.as_int() if axis else 0) % rank != inner.axis:
        return None
    index = node.outputs.index(value)
    return inner.some(slice(index, index + 1))


def _from_reshape(source: ir.Value, value: ir.Value, interpreter: Interpreter) -> Grouped | None:
    before, after = dims(source), dims(value)
    if before is None or after is None or len(after) < 2 or before[:-1] != after[:-2]:
        return None
    size, count, whole = after[-1], after[-2], before[-1]
    if not (isinstance(size, int) and isinstance(count, int) and whole == size * count):
        return None
    return Grouped(interpreter.expression(source), len(after) - 2, count)
