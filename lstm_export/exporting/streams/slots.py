"""Where a translated graph keeps the states of its recurrent layers, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from lstm_export.exporting.capture.opaque import DOMAIN
from lstm_export.exporting.capture.recurrent import OP_TYPE
from lstm_export.exporting.graph.walk import bodies

_MEASURES = frozenset({"Shape", "Size"})
_MOVES = frozenset(
    [
        *("Cast", "Concat", "Expand", "Gather", "Identity", "Reshape", "Slice", "Split"),
        *("Squeeze", "Transpose", "Unsqueeze"),
    ]
)
"""Operators that give the values that they were given, in other places."""


@dataclass(frozen=True, eq=False)
class Slot:
    """One state of one recurrent node: `node.inputs[index]`, and `final`, what it becomes."""

    node: ir.Node
    index: int
    final: ir.Value
    kind: str
    """`h` or `c`."""

    @property
    def initial(self) -> ir.Value | None:
        return self.node.inputs[self.index]

    @property
    def path(self) -> str:
        """Where the layer stands in the module; empty where it is the module."""
        return self.node.attributes["path"].as_string()


def slots_of(graph: ir.Graph) -> list[Slot]:
    """The states of all recurrent nodes of `graph`, in order; those in bodies of loops are not."""
    found = []
    for node in graph:
        if (node.domain, node.op_type) == (DOMAIN, OP_TYPE):
            kinds = "hc" if node.attributes["cell"].as_string() == "lstm" else "h"
            found += [Slot(node, 1 + i, node.outputs[1 + i], kind) for i, kind in enumerate(kinds)]
    return found


def sources(value: ir.Value | None) -> list[ir.Value]:
    """The graph inputs on whose values, not sizes alone, `value` depends."""
    found: dict[ir.Value, None] = {}
    seen: set[ir.Value] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if one is None or one in seen:
            continue
        seen.add(one)
        if one.is_graph_input() and not one.is_initializer():
            found[one] = None
        node = one.producer()
        if node is not None and node.op_type not in _MEASURES:
            waiting += _read_by(node)
    return list(found)


def only_starts(value: ir.Value, slots: list[Slot]) -> bool:
    """Whether the values of `value`, a graph input, reach nothing but the states of `slots`, to be
    their start.
    """
    starts = {(slot.node, slot.index) for slot in slots}
    reached, waiting = False, [value]
    while waiting:
        for node, index in waiting.pop().uses():
            if (node, index) in starts:
                reached = True
            elif node.op_type in _MOVES and not node.domain:
                if any(output.is_graph_output() for output in node.outputs):
                    return False
                waiting += node.outputs
            elif node.op_type not in _MEASURES:
                return False
    return reached and not value.is_graph_output()


def _read_by(node: ir.Node) -> Iterator[ir.Value | None]:
    yield from node.inputs
    for body in bodies(node):
        for inner in body:
            yield from _read_by(inner)
