"""One node of a step, to be applied to whole sequences, with time as a new leading axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

if TYPE_CHECKING:
    from lstm_export.exporting.lowering.recognise.sequences import Sequences


class NotLiftableError(Exception):
    """A value cannot be computed for the whole sequence; the message says why."""


class Lift:
    """One node, and what its inputs are outside the loop."""

    def __init__(self, sequences: Sequences, node: ir.Node) -> None:
        self.sequences, self.node = sequences, node
        self.builder = sequences.builder

    def rank(self, value: ir.Value | None) -> int:
        """The number of axes within one step."""
        if value is None or value.shape is None:
            raise NotLiftableError(f"the rank of {self.node.op_type}'s operand is unknown")
        return len(value.shape)

    def constant(self, position: int) -> ir.Value | None:
        """An input that is the same at every step, None where it is absent or is not."""
        value = self.node.inputs[position] if position < len(self.node.inputs) else None
        return None if value is None else self.sequences.invariant(value)

    def integers(self, position: int) -> list[int] | None:
        """An input of known integers, None where it is absent; NotLiftableError if it varies."""
        if position >= len(self.node.inputs) or self.node.inputs[position] is None:
            return None
        found = self.sequences.constants.integers(self.node.inputs[position])
        if found is None:
            raise NotLiftableError(f"{self.node.op_type} has axes that are computed")
        return found

    def sequence(self, position: int) -> ir.Value:
        """An input for all steps."""
        value = self.node.inputs[position]
        assert value is not None
        return self.sequences.sequence(value)

    def aligned(self, position: int, rank: int) -> ir.Value:
        """An input that broadcasts against others of `rank` axes within a step."""
        value = self.node.inputs[position]
        assert value is not None
        if (constant := self.sequences.invariant(value)) is not None:
            return constant
        found, own = self.sequences.sequence(value), self.rank(value)
        if own == rank:
            return found
        axes = self.builder.integers(list(range(1, 1 + rank - own)))
        return self.builder.op("Unsqueeze", [found, axes])

    def attribute(self, name: str, default: int) -> int:
        found = self.node.attributes.get(name)
        return default if found is None else int(found.as_int())

    def attributes(self, **changed: Any) -> dict[str, Any]:
        """The node's attributes with some of them changed."""
        return {**self.node.attributes, **changed}

    def axis(self, default: int) -> int:
        """The attribute `axis`, moved."""
        return moved(self.attribute("axis", default))

    def out(self, inputs: Sequence[ir.Value | None], attributes: Any = None) -> list[ir.Value]:
        """The node again, with these inputs."""
        given = dict(self.node.attributes) if attributes is None else attributes
        return self.builder.ops(self.node.op_type, inputs, given, len(self.node.outputs))


def moved(axis: int) -> int:
    """An axis counted from the front, one further; from the back, the same."""
    return axis + 1 if axis >= 0 else axis


Rule = Callable[[Lift], list[ir.Value]]
"""The outputs of a node for all steps. Raises NotLiftableError."""
