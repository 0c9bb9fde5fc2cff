"""States that only gather what each step gives: a running sum, a counter, a maximum so far."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.groups import values_behind
from lstm_export.exporting.lowering.recognise.loop import State
from lstm_export.exporting.lowering.recognise.sequences import Sequences
from lstm_export.exporting.lowering.recognise.shapes import dims

_REDUCED = {"Add": "ReduceSum", "Max": "ReduceMax", "Min": "ReduceMin"}


@dataclass(frozen=True, slots=True)
class Accumulation:
    """next = previous ∘ each, where ∘ is Add, Max or Min and `each` does not need the state."""

    state: State
    operator: str
    each: ir.Value

    @staticmethod
    def of(state: State, sequences: Sequences) -> Accumulation | None:
        """The state read as such, or None."""
        node = state.next.producer()
        if node is None or node.op_type not in _REDUCED or len(node.inputs) != 2:
            return None
        others = [value for value in node.inputs if value and value is not state.previous]
        if len(others) != 1:
            return None
        (each,) = others
        same = _same_shape(each, state.next) and _same_shape(state.previous, state.next)
        if not same or state.previous in values_behind(each, sequences.known):
            return None
        return Accumulation(state, node.op_type, each)

    def whole(self, sequences: Sequences) -> ir.Value | None:
        """The state after every step, (sequence_length, ...); of a sum alone."""
        if self.operator != "Add":
            return None
        builder = sequences.builder
        sums = builder.op("CumSum", [sequences.sequence(self.each), builder.integer(0)])
        return builder.op("Add", [sums, self.state.initial])

    def final(self, sequences: Sequences) -> ir.Value:
        """The state after the last step."""
        builder = sequences.builder
        given = [sequences.sequence(self.each), builder.integers([0])]
        reduced = builder.op(_REDUCED[self.operator], given, {"keepdims": 0})
        if self.operator == "Add" and sequences.constants.is_zero(self.state.initial):
            return reduced
        return builder.op(self.operator, [reduced, self.state.initial])


def _same_shape(a: ir.Value, b: ir.Value) -> bool:
    return dims(a) is not None and dims(a) == dims(b)
