"""New nodes and the constants they need: for a graph of their own, or in place of one node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from onnx_ir import tape

Floats = npt.NDArray[np.floating]


class Nodes:
    """Records nodes in `tape`.

    Constants become initializers of `graph`, the main one, which the bodies of loops see too.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self.graph, self.tape = graph, tape.Tape()

    def op(
        self, op_type: str, inputs: Sequence[ir.Value | None], attributes: Any = None
    ) -> ir.Value:
        """The output of a new node."""
        return self.tape.op(op_type, inputs, attributes)

    def ops(
        self, op_type: str, inputs: Sequence[ir.Value | None], attributes: Any, count: int
    ) -> list[ir.Value]:
        """The `count` outputs of a new node."""
        return list(self.tape.op_multi_out(op_type, inputs, attributes, num_outputs=count))

    def concat(self, parts: Sequence[ir.Value], axis: int) -> ir.Value:
        """The parts side by side; a single one as it is."""
        return parts[0] if len(parts) == 1 else self.op("Concat", parts, {"axis": axis})

    def split(self, value: ir.Value | None, sizes: Sequence[int]) -> list[ir.Value | None]:
        """The parts of `value` along its first axis, each None where it is absent."""
        if value is None or len(sizes) == 1:
            return [value] * len(sizes)
        return [*self.ops("Split", [value, self.integers(sizes)], {"axis": 0}, len(sizes))]

    def size(self, value: ir.Value, axis: int) -> ir.Value:
        """The size of `value` along an axis, (1,)."""
        return self.op("Gather", [self.op("Shape", [value]), self.integers([axis])], {"axis": 0})

    def integers(self, values: Sequence[int]) -> ir.Value:
        """A constant row of integers."""
        name = "shape_" + "_".join(str(value) for value in values)
        return self.constant(name, np.array(values, np.int64))

    def integer(self, value: int) -> ir.Value:
        """A constant integer, ()."""
        return self.constant(f"position_{value}", np.array(value, np.int64))

    def number(self, value: float) -> ir.Value:
        """A constant number, ()."""
        return self.constant(f"scalar_{value:g}", np.array(value, np.float32))

    def zero(self, dtype: ir.DataType) -> ir.Value:
        """A constant zero, ()."""
        if dtype == ir.DataType.FLOAT:
            return self.number(0)
        return self.constant(f"scalar_0_{dtype.name.lower()}", np.array(0, dtype.numpy()))

    def weight(self, name: str, array: Floats) -> ir.Value:
        """A weight, in float32."""
        return self.constant(name, array.astype(np.float32, copy=False))

    def constant(self, name: str, array: npt.NDArray[Any]) -> ir.Value:
        """An initializer; asked for again, as when a layer is called twice, the same one.

        Where `name` stands for something else it is numbered: a layer's weights are cut differently
        for padded and for packed sequences, and the user's own parameters may be called anything.
        """
        number, free = 1, name
        while (known := self.graph.initializers.get(free)) is not None:
            if _holds(known, array):
                return known
            number += 1
            free = f"{name}_{number}"
        value = self.tape.initializer(ir.tensor(np.asarray(array, order="C")), name=free)
        value.shape = ir.Shape(array.shape)
        self.graph.register_initializer(value)
        return value


def _holds(value: ir.Value, array: npt.NDArray[Any]) -> bool:
    """Whether `value` is `array`, bit by bit."""
    if value.const_value is None or tuple(value.const_value.shape) != array.shape:
        return False
    held = value.const_value.numpy()
    return held.dtype == array.dtype and held.tobytes() == array.tobytes()


class Builder(Nodes):
    """Records what replaces `node`."""

    def __init__(self, graph: ir.Graph, node: ir.Node) -> None:
        super().__init__(graph)
        self.node = node

    def replace(self, outputs: Sequence[ir.Value]) -> None:
        """Puts what was recorded where the node stands, `outputs` for its outputs."""
        graph = self.node.graph
        assert isinstance(graph, ir.Graph)
        for before, after in zip(self.node.outputs, outputs, strict=True):
            after.shape, after.type = before.shape, before.type
        ir.convenience.replace_nodes_and_values(
            graph, self.node, [self.node], self.tape.nodes, self.node.outputs, outputs
        )
