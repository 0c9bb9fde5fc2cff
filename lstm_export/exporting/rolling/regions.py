"""Where the steps of a loop lie in a graph, and which nodes of theirs correspond.

Before anything rearranges the graph, every step gets a `lstm_export::keep` node that lists what it
computed, in order. The same code made the lists of all steps but the first, so entries of one
position correspond. Being read there also keeps what is used in some steps alone alive in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, library
from torch.fx import Graph, Node
from torch.fx.node import has_side_effect

from lstm_export.errors import ExportError
from lstm_export.exporting.capture.step_ops import COLLECT, STEP
from lstm_export.exporting.rolling.nodes import expression, value_of


@library.custom_op("lstm_export::keep", mutates_args=())
def keep(values: Sequence[Tensor], loop: int, number: int) -> Tensor:
    """Lists what a step of a loop computed."""
    return torch.zeros(())


@keep.register_fake
def _(values: Sequence[Tensor], loop: int, number: int) -> Tensor:
    return torch.empty(())


KEEP = torch.ops.lstm_export.keep.default
has_side_effect(KEEP)

BEFORE, AFTER = -1, 1 << 30


@dataclass
class Region:
    """The recorded steps of one loop in `graph`, markers[k] where step k begins, `end` after."""

    graph: Graph
    number: int
    markers: list[Node]
    end: Node

    def __post_init__(self) -> None:
        self.locate()

    @property
    def steps(self) -> int:
        """How many steps were recorded."""
        return len(self.markers)

    @property
    def last(self) -> int:
        """The number of the last recorded step, which is the pattern of all."""
        return self.steps - 1

    @property
    def count(self) -> Any:
        """How many steps the loop has: a node or a number."""
        return self.end.args[0]

    @property
    def place(self) -> str:
        """The line of the for statement."""
        return str(self.end.args[3])

    def locate(self) -> None:
        """Notes for every node of the graph where it lies."""
        bounds = [*self.markers, self.end]
        self._location: dict[Node, int] = {}
        passed = BEFORE
        for node in self.graph.nodes:
            if passed < len(bounds) - 1 and node is bounds[passed + 1]:
                passed += 1
            self._location[node] = AFTER if passed == len(bounds) - 1 else passed

    def location(self, node: Node) -> int:
        """The step that a node lies in, BEFORE or AFTER."""
        return self._location[node]

    def index(self, step: int) -> Node | None:
        """The node that holds the number of a step, None where nothing uses it."""
        return next((user for user in self.markers[step].users), None)

    def symbol(self, step: int) -> Any:
        """The symbol for the number of a step."""
        index = self.index(step)
        return None if index is None else expression(index)

    def within(self, step: int) -> list[Node]:
        """The nodes of a step, in order."""
        return [node for node in self.graph.nodes if self.location(node) == step]

    def kept(self, step: int) -> tuple[Any, ...]:
        """What a step computed, in the order of its code."""
        for node in self.graph.nodes:
            if node.target is KEEP and node.args[1:] == (self.number, step):
                values: Any = node.args[0]
                return tuple(values)
        return ()


def regions(graph: Graph) -> list[Region]:
    """The loops of `graph`, those that begin last first: an inner loop before the outer one.

    Raises ExportError for a loop that was left before its end.
    """
    found = []
    for number, nodes in _markers(graph).items():
        steps, last = nodes[:-1], nodes[-1]
        if last.users or len(steps) < 3:
            raise ExportError(
                "this time loop is left before its end, by break, return or a shorter sequence "
                "beside it: let it run through, and mask or cut what is not wanted afterwards"
                f"\n  at {last.args[3]}"
            )
        found.append(Region(graph, number, steps, last))
    return found[::-1]


def close_implicit(graph: Graph) -> None:
    """Implicit loops last until the graph ends where nothing ended them before.

    What looked like one and did not come to its last step was none.
    """
    complete = max((len(nodes) for nodes in _markers(graph).values()), default=0)
    for number, nodes in _markers(graph).items():
        if not nodes[0].args[4] or not nodes[-1].users:
            continue
        if len(nodes) < complete - 1:
            for marker in nodes:
                _erase_with_users(marker)
            continue
        with graph.inserting_before(graph.output_node()):
            count, _, _, place, _ = nodes[0].args
            end = graph.call_function(STEP, (count, number, len(nodes), place, True))
            end.meta["val"] = value_of(nodes[0])


def _erase_with_users(node: Node) -> None:
    for user in list(node.users):
        _erase_with_users(user)
    node.graph.erase_node(node)


def _markers(graph: Graph) -> dict[int, list[Node]]:
    markers: dict[int, list[Node]] = {}
    for node in graph.find_nodes(op="call_function", target=STEP):
        markers.setdefault(int(node.args[1]), []).append(node)
    return markers


def keep_steps(graph: Graph) -> None:
    """Gives every step of every loop its `keep` node."""
    open_steps: list[tuple[int, int, list[Node]]] = []
    for node in list(graph.nodes):
        if node.target is STEP:
            number, step = int(node.args[1]), int(node.args[2])
            if open_steps and open_steps[-1][0] == number:
                _, before, values = open_steps.pop()
                with graph.inserting_before(node):
                    kept = graph.call_function(KEEP, (list(values), number, before))
                    kept.meta["val"] = None
            if node.users:
                open_steps.append((number, step, []))
            continue
        for _, _, values in open_steps:
            if isinstance(value_of(node), Tensor):
                values.append(_written(node) if _is_mutation(node) else node)


def is_functional(graph: Graph) -> bool:
    """Whether nothing in `graph` writes to a tensor."""
    return not any(map(_is_mutation, graph.nodes))


def _is_mutation(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def _written(node: Node) -> Node:
    """The tensor that a write ends up in, whichever view it goes through."""
    base = node
    while True:
        schema = getattr(base.target, "_schema", None)
        if schema is None or not base.args or not isinstance(base.args[0], Node):
            return base
        if not schema.arguments or schema.arguments[0].alias_info is None:
            return base
        base = base.args[0]


def collects(region: Region) -> Iterator[Node]:
    """The nodes that stand for lists filled by the loop of `region`."""
    for node in region.graph.nodes:
        if node.target is COLLECT and node.args[2] == region.number:
            yield node
