"""An ONNX Scan, read: its states, what it scans, and what it collects."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.constants import Constants
from lstm_export.exporting.lowering.recognise.shapes import dims


@dataclass(frozen=True, eq=False)
class State:
    """A value carried from step to step.

    `previous` and `next` belong to the body, `initial` and `final` to the graph around it.
    """

    previous: ir.Value
    next: ir.Value
    initial: ir.Value
    final: ir.Value


@dataclass(frozen=True)
class ScanLoop:
    """A Scan over leading axes, first step first.

    `scanned` pairs what a step reads with the whole sequence, `collected` what a step gives with
    the stacked result.
    """

    node: ir.Node
    body: ir.Graph
    states: tuple[State, ...]
    scanned: tuple[tuple[ir.Value, ir.Value], ...]
    collected: tuple[tuple[ir.Value, ir.Value], ...]

    @staticmethod
    def read(node: ir.Node) -> ScanLoop | None:
        """The loop, or None where it scans backwards, along other axes, or lacks an input."""
        for name, attribute in node.attributes.items():
            if name.startswith("scan_") and any(attribute.as_ints()):
                return None
        body = node.attributes["body"].as_graph()
        inputs = [value for value in node.inputs if value is not None]
        if len(inputs) != len(body.inputs):
            return None
        count = len(inputs) - node.attributes["num_scan_inputs"].as_int()
        states = zip(body.inputs, body.outputs, inputs, node.outputs, strict=False)
        return ScanLoop(
            node,
            body,
            tuple(
                State(previous, _source(after), initial, final)
                for previous, after, initial, final in list(states)[:count]
            ),
            tuple(zip(body.inputs[count:], inputs[count:], strict=True)),
            tuple(zip(body.outputs[count:], node.outputs[count:], strict=True)),
        )

    def merge_equal_states(self, constants: Constants) -> None:
        """States that start alike and go on alike are read as one."""
        for position, state in enumerate(self.states):
            for other in self.states[:position]:
                alike = state.initial is other.initial or (
                    dims(state.previous) == dims(other.previous) is not None
                    and state.previous.dtype == other.previous.dtype
                    and constants.is_zero(state.initial)
                    and constants.is_zero(other.initial)
                )
                if state.next is other.next and alike:
                    state.previous.replace_all_uses_with(other.previous)
                    break


def _source(value: ir.Value) -> ir.Value:
    """What a copy is a copy of."""
    node = value.producer()
    while node is not None and node.op_type == "Identity" and node.inputs[0] is not None:
        value = node.inputs[0]
        node = value.producer()
    return value


def is_used(value: ir.Value) -> bool:
    """Whether anything reads `value`."""
    return bool(value.uses()) or value.is_graph_output()
