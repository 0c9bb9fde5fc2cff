"""Values of one step of a loop, computed for the whole sequence at once.

What a step computes from its inputs alone needs no loop: the same node applied to tensors with
time as one more leading axis gives all steps. `lifting` knows for which operators that is so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder
from lstm_export.exporting.lowering.recognise.constants import Constants
from lstm_export.exporting.lowering.recognise.lifting import Lift, NotLiftableError, moved
from lstm_export.exporting.lowering.recognise.rules import RULES
from lstm_export.exporting.lowering.recognise.shapes import Dim, dims


class Sequences:
    """Whole-sequence values, (sequence_length, *shape of the step's value), built when asked for.

    `known` are those that there are, by the step's values; `deferred` makes those that few need,
    `withheld` says why others cannot be had, `joined` those whose time and batch are one axis.
    """

    def __init__(self, builder: Builder, body: ir.Graph, constants: Constants) -> None:
        self.builder, self.constants = builder, constants
        self.inside = {output for node in body for output in node.outputs} | set(body.inputs)
        self.known: dict[ir.Value, ir.Value] = {}
        self.deferred: dict[ir.Value, Callable[[], ir.Value]] = {}
        self.initial: dict[ir.Value, ir.Value] = {}
        self.withheld: dict[ir.Value, str] = {}
        self.joined: dict[ir.Value, tuple[ir.Value, ir.Value]] = {}
        self._invariant: dict[ir.Value, ir.Value] = {}
        self._refused: dict[ir.Value, str] = {}

    def add(self, value: ir.Value, sequence: ir.Value) -> None:
        """Makes a sequence known, which may free what was refused for want of it."""
        self.known[value] = sequence
        self._refused.clear()

    def step_of(self, sequence: ir.Value, sizes: Sequence[Dim]) -> ir.Value:
        """A new value that stands for one step of `sequence`; one for each, however often asked."""
        for value, whole in self.known.items():
            if whole is sequence and value.producer() is None and dims(value) == tuple(sizes):
                return value
        value = ir.Value(shape=ir.Shape(sizes), type=sequence.type)
        self.inside.add(value)
        self.add(value, sequence)
        return value

    def is_known(self, value: ir.Value) -> bool:
        """Whether `value` can be had for the whole sequence."""
        try:
            self.sequence(value)
        except NotLiftableError:
            return False
        return True

    def sequence(self, value: ir.Value) -> ir.Value:
        """`value` for all steps. Raises NotLiftableError."""
        if value in self.known:
            return self.known[value]
        if value in self._refused:
            raise NotLiftableError(self._refused[value])
        try:
            found = self._lifted(value)
        except NotLiftableError as error:
            self._refused[value] = str(error)
            raise
        self.known[value] = found
        return found

    def invariant(self, value: ir.Value) -> ir.Value | None:
        """`value` where it is the same at every step, as a value outside the loop; else None."""
        if value not in self.inside:
            return value
        if value in self._invariant:
            return self._invariant[value]
        node = value.producer()
        if node is None or not _plain(node):
            return None
        if node.op_type == "Shape" and (shape := self._shape(node)) is not None:
            return self._invariant.setdefault(value, shape)
        given = [None if part is None else self.invariant(part) for part in node.inputs]
        if any(a is not None and b is None for a, b in zip(node.inputs, given, strict=True)):
            return None
        self._copied(node, given, self._invariant)
        return self._invariant[value]

    def _lifted(self, value: ir.Value) -> ir.Value:
        if (constant := self.invariant(value)) is not None:
            return self._repeated(value, constant)
        if value in self.withheld:
            raise NotLiftableError(self.withheld[value])
        if value in self.deferred:
            return self.deferred[value]()
        node = value.producer()
        if node is None:
            raise NotLiftableError("it needs a state of the step before")
        rule = RULES.get(node.op_type) if _plain(node) else None
        if rule is None:
            raise NotLiftableError(f"{node.op_type} is not applied to whole sequences")
        outputs = rule(Lift(self, node))
        for output, found in zip(node.outputs, outputs, strict=True):
            self.known[output] = found
        return self.known[value]

    def _repeated(self, value: ir.Value, constant: ir.Value) -> ir.Value:
        """The same at every step, spelt out for each."""
        if value.shape is None or not self.known:
            raise NotLiftableError("the rank of a constant is unknown")
        builder = self.builder
        length = builder.size(next(iter(self.known.values())), 0)
        shape = builder.concat([length, builder.integers([1] * len(value.shape))], 0)
        stacked = builder.op("Unsqueeze", [constant, builder.integers([0])])
        return builder.op("Expand", [stacked, shape])

    def _shape(self, node: ir.Node) -> ir.Value | None:
        """The shape of a step's value, which no step changes."""
        value = node.inputs[0]
        assert value is not None
        if value in self.initial:
            return self.builder.op("Shape", [self.initial[value]], dict(node.attributes))
        if not self.is_known(value):
            return None
        ends = {name: moved(end.as_int()) for name, end in node.attributes.items()}
        return self.builder.op("Shape", [self.known[value]], {"start": 1, **ends})

    def _copied(
        self,
        node: ir.Node,
        inputs: Iterable[ir.Value | None],
        into: dict[ir.Value, ir.Value],
    ) -> None:
        copies = self.builder.ops(
            node.op_type, list(inputs), dict(node.attributes), len(node.outputs)
        )
        for output, copy in zip(node.outputs, copies, strict=True):
            copy.shape, copy.type = output.shape, output.type
            into[output] = copy


def _plain(node: ir.Node) -> bool:
    """A standard operator without a body of its own that gives the same each time."""
    return (
        node.domain in ("", "ai.onnx")
        and not node.op_type.startswith(("Random", "Bernoulli", "Multinomial"))
        and not any(
            attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
            for attribute in node.attributes.values()
        )
    )
