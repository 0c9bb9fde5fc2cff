"""Changes to the recorded steps that make them comparable."""

from __future__ import annotations

import operator
from typing import Any

from torch.fx import Node

from lstm_export.exporting.capture.step_ops import COLLECT
from lstm_export.exporting.rolling.nodes import aten, call
from lstm_export.exporting.rolling.pattern import Delay, ListRead, Mismatch
from lstm_export.exporting.rolling.regions import KEEP, Region


def rewrite(found: ListRead | Delay, region: Region, others: list[Region]) -> None:
    """Changes the steps of `region`, of which `others` come before, as `found` asks for."""
    if isinstance(found, ListRead):
        _read_from_list(region, found, others)
    else:
        _delay(region, found)


def _read_from_list(region: Region, read: ListRead, others: list[Region]) -> None:
    """Entries of an earlier loop's list become slices of the tensor that they would make."""
    other = next(other for other in others if other.number == read.loop)
    graph = region.graph
    entries = _all_steps(other, next(one for one in read.entries if other.location(one) >= 1))
    if (collect := read.consumers[0]).target is COLLECT:
        # The later loop only put the entries into another list.
        _, _, _, dim, stacked, backwards, *start = collect.args
        backwards = backwards != read.backwards
        collect.args = (entries, other.count, other.number, dim, stacked, backwards, *start)
        return
    with graph.inserting_before(region.markers[0]):
        whole = call(graph, COLLECT, entries, other.count, other.number, 0, True, False)
    for consumer, old in zip(read.consumers, read.entries, strict=True):
        index = region.index(region.location(consumer))
        with graph.inserting_before(consumer):
            if read.backwards:
                last = call(graph, operator.sub, region.count, 1)
                index = call(graph, operator.sub, last, index)
            entry = call(graph, aten.select.int, whole, 0, index)
        consumer.replace_input_with(old, entry)


def _delay(region: Region, found: Delay) -> None:
    """A value that is two steps old becomes a copy, which the step before made, of one step."""
    graph = region.graph
    if len(found.values) < region.steps:
        raise Mismatch("the first step differs, and later ones look two steps back", found.values)
    values = [found.values[1], *_all_steps(region, found.values[2])]
    copies = []
    for step in range(region.steps):
        with graph.inserting_after(region.index(step) or region.markers[step]):
            copies.append(call(graph, aten.clone.default, values[step]))
        for kept in graph.find_nodes(op="call_function", target=KEEP):
            if kept.args[1:] == (region.number, step):
                kept.args = ([*kept.args[0], copies[-1]], *kept.args[1:])
    for consumer, old, copy in zip(found.consumers[1:], found.values[1:], copies, strict=False):
        consumer.replace_input_with(old, copy)


def _all_steps(region: Region, node: Node) -> list[Node]:
    """`node` of one step as all the steps have it.

    Between the first step and the others that is a guess; comparing the steps will show.
    """
    kept: list[Any] = [region.kept(step) for step in range(region.steps)]
    step, missing = region.location(node), len(kept[1]) - len(kept[0])
    position = kept[step].index(node)
    for offset in dict.fromkeys((missing, 0)):
        first, later = (position, position + offset) if step == 0 else (position - offset, position)
        if not (0 <= first < len(kept[0]) and 0 <= later < len(kept[1])):
            continue
        row = [kept[0][first], *(values[later] for values in kept[1:])]
        if len({one.target for one in row if isinstance(one, Node)}) == 1 and None not in row:
            return row
    raise Mismatch("the first step makes this in another way than those that follow", [node])
