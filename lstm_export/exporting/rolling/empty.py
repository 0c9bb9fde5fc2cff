"""Loops that may run for no steps at all, such as `for t in range(1, x.size(1))`.

onnxruntime refuses to scan nothing, and its recurrent operators on nothing give wrong states or
end the process. Such a loop runs for one step at least, on zeros, and nothing of that step is used.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import Node

from lstm_export.exporting.rolling.nodes import aten, call, expression, fake_mode, value_of
from lstm_export.exporting.rolling.regions import Region


def may_be_empty(region: Region) -> bool:
    """Whether a loop has no steps for some inputs whose own axes are not empty."""
    count = expression(region.count)
    return bool(count.subs(dict.fromkeys(count.free_symbols, 1)) < 1)


def is_any_number(region: Region) -> bool:
    """Whether torch knows the number of steps as a number of its own, none included."""
    count = region.count
    return isinstance(count, Node) and any(
        given.target is aten.scalar_tensor.default for given in count.all_input_nodes
    )


class EmptyGuard:
    """Keeps the scan of `region` from scanning nothing."""

    def __init__(self, region: Region) -> None:
        self.region, self.graph = region, region.graph
        self._counts: dict[Any, Node] = {}

    def input(self, entries: Node) -> Node:
        """What is scanned, with an entry of zeros if it were empty."""
        value = value_of(entries)
        count = self._count(torch.sym_max)
        padding = [0, 0] * (value.dim() - 1) + [0, 1]
        padded = call(self.graph, aten.constant_pad_nd.default, entries, padding)
        node = self.graph.call_function(aten.slice.Tensor, (padded, 0, 0, count))
        with fake_mode(self.graph):
            node.meta["val"] = value.new_empty([value_of(count), *value.shape[1:]])
        return node

    def final(self, initial: Node, result: Node) -> Node:
        """A state after the loop, which is the initial one if there was no step."""
        both = call(self.graph, aten.stack.default, [initial, result])
        return call(self.graph, aten.select.int, both, 0, self._count(torch.sym_min))

    def entries(self, result: Node) -> Node:
        """What the steps gave, none if there was no step."""
        value, count = value_of(result), self.region.count
        node = self.graph.call_function(aten.slice.Tensor, (result, 0, 0, count))
        with fake_mode(self.graph):
            node.meta["val"] = value.new_empty([value_of(count), *value.shape[1:]])
        return node

    def _count(self, bound: Any) -> Node:
        """How many steps there are, but one at least (sym_max) or at most (sym_min)."""
        if bound not in self._counts:
            self._counts[bound] = call(self.graph, bound, self.region.count, 1)
        return self._counts[bound]
