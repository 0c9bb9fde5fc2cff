"""What a loop's steps have in common, and which of their values are wanted from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.fx import Node

from lstm_export.exporting.capture.step_ops import COLLECT
from lstm_export.exporting.rolling.body import Slice
from lstm_export.exporting.rolling.matching import Matching
from lstm_export.exporting.rolling.nodes import aten, inputs_of, is_scalar, value_of
from lstm_export.exporting.rolling.pattern import Mismatch
from lstm_export.exporting.rolling.regions import AFTER, BEFORE, KEEP, Region, collects


@dataclass
class Plan:
    """How the steps of `region` become a scan.

    `sunk` nodes of the last step are computed after the loop instead, `lasting` ones are wanted
    after it as the last step has them, and `written` are carries that are buffers to which each
    step writes one entry, by their node in the step before the last.

    Raises Mismatch if the steps differ in a way that no scan has.
    """

    region: Region
    constants: dict[str, Tensor]
    others: list[Region]
    sunk: list[Node] = field(default_factory=list)
    lasting: list[Node] = field(default_factory=list)
    written: dict[Node, Slice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.collects = list(collects(self.region))
        self._move_collects()
        self.outside = self._outside()
        probe = self._matching(1, probing=True)
        for collect in self.collects:
            probe.want(_parts(collect), collect)
        for node in self.outside:
            probe.want_value(node)
        try:
            self.matching = self._matched(0, probe)
        except Mismatch as difference:
            try:
                self.matching = self._matched(1, probe)
            except Mismatch:
                raise difference from None
        if self.matching.first == 0:
            self._find_written()

    def _matching(self, first: int, *, probing: bool = False) -> Matching:
        return Matching(self.region, self.constants, self.others, first, probing)

    def _matched(self, first: int, probe: Matching) -> Matching:
        matching = self._matching(first)
        for collect in self.collects:
            matching.want(_parts(collect), collect)
        for carry in probe.carries.values():
            row = probe.steps[carry.value]
            matching.want((None, *row) if first else (carry.initial, *row), carry.value)
        self._place(matching)
        for node in self.lasting:
            if first:
                raise Mismatch(
                    "the first step computes this in another way than those that follow", [node]
                )
            matching.want_value(node)
        return matching

    def _move_collects(self) -> None:
        """A list that is complete in the last step, such as a tensor that grew, comes after it."""
        region, late = self.region, set(self.collects)
        moved = []
        for node in region.within(region.last):
            if node.target is KEEP:
                continue
            if node in late or late.intersection(inputs_of((node.args, node.kwargs))):
                late.add(node)
                moved.append(node)
        for node in reversed(moved):
            region.end.append(node)
        for kept in region.graph.find_nodes(op="call_function", target=KEEP):
            values: Any = kept.args[0]
            if late.intersection(inputs_of(values)):
                kept.args = ([None if value in late else value for value in values], *kept.args[1:])
        region.locate()

    def _outside(self) -> list[Node]:
        """Tensors of the last step that are used after the loop, lists apart."""
        region, found = self.region, []
        for node in region.graph.nodes:
            step = region.location(node)
            if step in (BEFORE, AFTER) or not isinstance(value_of(node), Tensor):
                continue
            users = [user for user in node.users if self.is_outside(user)]
            if users and step == region.last:
                found.append(node)
            elif users and step != 0:
                raise Mismatch(
                    "what comes after it takes single steps out of the list that it filled",
                    [user for user in users if user.op != "output"] or [node],
                    "stack the list, torch.stack(outputs, 1), and go on with that; of single steps "
                    "only the first and the last can be had",
                )
        return found

    def is_outside(self, user: Node) -> bool:
        """Whether a node comes after the loop and is not one of its own lists."""
        is_list = user.target is COLLECT and user.args[2] == self.region.number
        return self.region.location(user) == AFTER and not is_list and user.target is not KEEP

    def _place(self, matching: Matching) -> None:
        """Which values after the loop are computed there, and which every step has to yield."""
        finals = {carry.value for carry in matching.carries.values()}
        sunk: dict[Node, bool] = {}

        def sinks(node: Node) -> bool:
            if node in finals or matching.is_fixed(node):
                return True
            if self.region.location(node) != self.region.last or node in matching.steps:
                return node is self.region.index(self.region.last)
            if node not in sunk:
                sunk[node] = all(map(sinks, inputs_of((node.args, node.kwargs))))
            return sunk[node]

        self.lasting = [node for node in self.outside if not sinks(node)]
        self.sunk = [node for node in self.region.within(self.region.last) if sunk.get(node)]

    def _find_written(self) -> None:
        matching = self.matching
        for carry in list(matching.carries.values()):
            node = carry.value
            if node.target is not aten.select_scatter.default or node.args[0] is not carry.before:
                continue
            _, _, dim, index = node.args
            place = self._place_of(value_of(node).dim(), dim, index)
            buffer = {carry.before, node}
            if place is None or buffer.intersection(self._collected()):
                continue
            readers = [
                user
                for user in matching.steps
                if user is not node and buffer.intersection(inputs_of((user.args, user.kwargs)))
            ]
            if all(
                reader.target is aten.select.int
                and reader.args[0] is carry.before
                and self._place_of(value_of(node).dim(), *reader.args[1:]) == place
                for reader in readers
            ):
                self.written[carry.before] = Slice(carry.initial, *place)

    def _place_of(self, rank: int, dim: Any, index: Any = 0) -> Any:
        """The axis and the index of an entry, None if it is not another one in every step."""
        if not is_scalar(index):
            return None
        slice = Slice(None, dim % rank, self.matching.index_expression(index))
        return (slice.dim, slice.index) if slice.is_line else None

    def _collected(self) -> list[Any]:
        return [_parts(collect)[-1] for collect in self.collects]


def _parts(collect: Node) -> Any:
    return collect.args[0]
