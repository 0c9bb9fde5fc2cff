"""The recorded steps of one loop, replaced by a scan."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Node

from lstm_export.exporting.rolling.body import Body, Slice
from lstm_export.exporting.rolling.empty import EmptyGuard, is_any_number, may_be_empty
from lstm_export.exporting.rolling.nodes import (
    aten,
    call,
    fake_mode,
    is_check,
    same_size,
    value_of,
)
from lstm_export.exporting.rolling.pattern import INDEX, RewriteFound
from lstm_export.exporting.rolling.plan import Plan
from lstm_export.exporting.rolling.regions import AFTER, BEFORE, KEEP, Region
from lstm_export.exporting.rolling.rewrites import rewrite
from lstm_export.exporting.rolling.slices import listed, sliced, written


def roll(program: ExportedProgram, region: Region, others: list[Region]) -> None:
    """Puts a scan in the place of the steps of `region`; `others` are the loops before it.

    Raises Mismatch if the steps differ in a way that no scan has.
    """
    constants = {
        name: value
        for name, target in program.graph_signature.inputs_to_lifted_tensor_constants.items()
        if isinstance(value := program.constants.get(target), Tensor)
    }
    while True:
        for one in (region, *others):
            one.locate()
        try:
            plan = Plan(region, constants, others)
        except RewriteFound as found:
            rewrite(found.rewrite, region, others)
        else:
            _Writer(plan).write()
            return


class _Writer:
    def __init__(self, plan: Plan) -> None:
        self.plan, self.region, self.graph = plan, plan.region, plan.region.graph
        carries = plan.matching.carries.values()
        self.carries = [carry for carry in carries if carry.before not in plan.written]
        self.buffers = [carry for carry in carries if carry.before in plan.written]
        self.body = Body(plan.matching, self.carries, plan.written)
        self.outputs = [self._output(c.value, c.initial, None) for c in self.carries]
        self._columns: dict[Any, int] = {}
        self.after: Node = self.region.end.next
        self.guard = EmptyGuard(self.region) if self._may_be_empty() else None

    def write(self) -> None:
        """Makes the scan, and gives what comes after the loop its results."""
        plan, graph, region = self.plan, self.graph, self.region
        lists = [(collect, *self._list(collect)) for collect in plan.collects]
        lasting = [(node, self._column(node, None)) for node in plan.lasting]
        wanted = [carry for carry in self.buffers if self._is_wanted(carry.value)]
        entries = [(carry, self._column(carry.value.args[1], None)) for carry in wanted]
        with graph.inserting_before(self.after):
            results = self._scan() if self.outputs else []
            new = [
                *zip([carry.value for carry in self.carries], results, strict=False),
                *((node, self._last(results[number])) for node, number in lasting),
                *(
                    (carry.value, written(region, plan.written[carry.before], results[number]))
                    for carry, number in entries
                ),
            ]
            self._replace(new)
        for collect, source, squeezed in lists:
            with graph.inserting_before(collect):
                result = sliced(region, source) if isinstance(source, Slice) else results[source]
                collect.replace_all_uses_with(listed(graph, collect, result, squeezed))
            graph.erase_node(collect)
        self._erase()

    def _may_be_empty(self) -> bool:
        """Whether the loop may run for no steps at all and something after it would show that."""
        plan = self.plan
        wanted = any(self._is_wanted(carry.value) for carry in plan.matching.carries.values())
        joined = [user for collect in plan.collects for user in collect.users]
        begun = any(len(collect.args) > 6 for collect in plan.collects) or any(
            user.target is aten.cat.default for user in joined
        )
        return is_any_number(self.region) or ((wanted or begun) and may_be_empty(self.region))

    def _output(self, pattern: Any, first: Any, squeezed: int | None) -> Node:
        """What a step yields as `pattern`, and the first one as `first` if that differs."""
        body = self.body
        given: list[Node] = [body.step(pattern)]
        if self.plan.matching.first == 1:
            given.insert(0, body.given(first))
        if squeezed is not None:
            given = [body.call(aten.squeeze.dim, node, squeezed) for node in given]
        return given[0] if len(given) == 1 else body.chosen(*given)

    def _column(self, pattern: Any, first: Any, squeezed: int | None = None) -> int:
        """Which result of the scan holds `pattern` of every step."""
        key = (pattern, squeezed)
        if key not in self._columns:
            self._columns[key] = len(self.outputs)
            self.outputs.append(self._output(pattern, first, squeezed))
        return self._columns[key]

    def _list(self, collect: Node) -> tuple[int | Slice, bool]:
        """Where the entries of a list come from: a result of the scan, or a tensor that it reads.

        And whether they lack the axis of size one along which they are concatenated.
        """
        parts: Any = collect.args[0]
        dim: Any = collect.args[3]
        pattern, first = parts[-1], parts[0]
        squeezed = not collect.args[4] and same_size(value_of(pattern).shape[dim], 1)
        if self.plan.matching.first == 0 and self._is_last(pattern):
            bare = _squeezed(pattern, dim) if squeezed else pattern
            if bare is not None and (source := self.body.read(bare)) is not None:
                return source, squeezed
            if bare is not None:
                return self._column(bare, None), squeezed
        return self._column(pattern, first, dim if squeezed else None), squeezed

    def _is_last(self, node: Node) -> bool:
        return self.region.location(node) == self.region.last

    def _is_wanted(self, node: Node) -> bool:
        users = [*self.plan.sunk, *filter(self.plan.is_outside, node.users)]
        return any(node in user.all_input_nodes for user in users)

    def _scan(self) -> list[Node]:
        graph, region, body = self.graph, self.region, self.body
        if not body.slices:
            body.slice(Slice(None, 0, INDEX))
        name = f"scan_combine_graph_{region.number}"
        setattr(graph.owning_module, name, body.finished(self.outputs))
        initial = [carry.initial for carry in self.carries]
        slices = [sliced(region, wanted) for wanted in body.slices]
        if self.guard is not None:
            slices = [self.guard.input(entries) for entries in slices]
        initial, slices, fixed = self._apart(initial, slices, body.fixed)
        combine = graph.get_attr(name)
        scan = graph.call_function(
            torch.ops.higher_order.scan, (combine, initial, slices, tuple(fixed))
        )
        values = [value_of(carry.value) for carry in self.carries]
        count = value_of(slices[0]).shape[0]
        with fake_mode(graph):
            for output in self.outputs[len(values) :]:
                value = value_of(output)
                values.append(value.new_empty([count, *value.shape]))
        scan.meta["val"] = tuple(values)
        results = []
        for number, value in enumerate(values):
            results.append(graph.call_function(operator.getitem, (scan, number)))
            results[-1].meta["val"] = value
        if self.guard is not None:
            finals = [self.guard.final(*pair) for pair in zip(initial, results, strict=False)]
            results = [*finals, *map(self.guard.entries, results[len(finals) :])]
        return results

    def _apart(self, *groups: list[Node]) -> list[list[Node]]:
        """The inputs of a scan, which wants each in memory of its own."""
        seen: set[Any] = set()

        def own(node: Node) -> Node:
            value = value_of(node)
            if not isinstance(value, Tensor):
                return node
            memory = value.untyped_storage()._cdata
            if memory in seen:
                return call(self.graph, aten.clone.default, node)
            seen.add(memory)
            return node

        return [[own(node) for node in group] for group in groups]

    def _last(self, result: Node) -> Node:
        return call(self.graph, aten.select.int, result, 0, -1)

    def _replace(self, new: list[tuple[Node, Node]]) -> None:
        """After the loop, its last step's values are the results of the scan."""
        region = self.region
        region.locate()
        for node in self.plan.sunk:
            self.after.prepend(node)
        region.locate()
        for node, result in new:
            node.replace_all_uses_with(result, delete_user_cb=self._is_after)
        index = region.index(region.last)
        if index is not None and any(map(self._is_after, index.users)):
            last = call(self.graph, operator.sub, region.count, 1)
            index.replace_all_uses_with(last, delete_user_cb=self._is_after)

    def _is_after(self, user: Node) -> bool:
        return self.region.location(user) == AFTER

    def _erase(self) -> None:
        graph, region = self.graph, self.region
        region.locate()
        first = region.index(0)
        if first is not None:
            # What is wanted of the first step alone is computed before the scan.
            zero: Any = 0
            first.replace_all_uses_with(zero, delete_user_cb=lambda user: not is_check(user))
        marks = {*region.markers, region.end}
        for node in reversed(list(graph.nodes)):
            step = region.location(node)
            if node.target is KEEP:
                self._release(node)
            elif step not in (BEFORE, AFTER) and not node.users and node not in marks:
                # torch would keep what draws random numbers or asserts something.
                graph.erase_node(node)
        graph.erase_node(region.end)
        for mark in region.markers:
            graph.erase_node(mark)
        graph.eliminate_dead_code()

    def _release(self, kept: Node) -> None:
        """A list of what an outer loop computes does not keep the steps of this one alive."""
        if kept.args[1] == self.region.number:
            self.graph.erase_node(kept)
            return
        values: Any = kept.args[0]
        inside = range(self.region.steps)
        kept.args = (
            [
                None if isinstance(v, Node) and self.region.location(v) in inside else v
                for v in values
            ],
            *kept.args[1:],
        )


def _squeezed(node: Node, dim: int) -> Node | None:
    """What `node` put an axis of size one into at `dim`, None if it did not."""
    if node.target is not aten.unsqueeze.default:
        return None
    given, axis = node.args
    assert isinstance(given, Node)
    assert isinstance(axis, int)
    return given if axis % value_of(node).dim() == dim else None
