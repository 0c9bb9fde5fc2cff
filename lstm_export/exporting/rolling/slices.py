"""Tensors along time: what a scan reads entry by entry, and what its results become."""

from __future__ import annotations

import operator
from typing import Any

import sympy
from torch.fx import Graph, Node

from lstm_export.exporting.rolling.body import Slice
from lstm_export.exporting.rolling.nodes import (
    aten,
    call,
    expression,
    number,
    same_size,
    value_of,
)
from lstm_export.exporting.rolling.pattern import INDEX
from lstm_export.exporting.rolling.regions import Region

_END = 9223372036854775807


def sliced(region: Region, wanted: Slice) -> Node:
    """The tensor whose entries along its first axis the steps read, in their order."""
    graph, count = region.graph, region.count
    if wanted.x is None:
        return call(graph, aten.arange.default, count)
    size, length = expression(value_of(wanted.x).shape[wanted.dim]), expression(count)
    along = moved(graph, wanted.x, wanted.dim, 0)
    if (order := _whole(region, wanted)) is not None:
        return along if order == 1 else call(graph, aten.flip.default, along, [0])
    slope, start = _line(wanted.index)
    if slope == 1 and start.is_Integer and start > 0 and sympy.expand(start + length - size) == 0:
        return call(graph, aten.slice.Tensor, along, 0, int(start), _END)
    missing = sympy.expand(length - size)
    if slope == 1 and start == 0 and missing.is_Integer and missing < 0:
        return call(graph, aten.slice.Tensor, along, 0, 0, int(missing))
    return call(graph, aten.index_select.default, along, 0, _positions(region, wanted))


def listed(graph: Graph, collect: Node, result: Node, squeezed: bool) -> Node:
    """What a list becomes of which a scan gives `result`, its entries along the first axis.

    `squeezed` entries lack the axis of size one along which they are concatenated.
    """
    _, _, _, dim, stacked, backwards, *rest = collect.args
    assert isinstance(dim, int)
    if backwards:
        result = call(graph, aten.flip.default, result, [0])
    whole = moved(graph, result, 0, dim)
    if not stacked and not squeezed:
        sizes = [
            call(graph, aten.sym_size.int, whole, axis) for axis in range(value_of(whole).dim())
        ]
        merged = call(graph, operator.mul, sizes[dim], sizes[dim + 1])
        shape = [*sizes[:dim], merged, *sizes[dim + 2 :]]
        whole = call(graph, aten.reshape.default, whole, shape)
    start = rest[0] if rest else None
    if start is None:
        return whole
    ends = [whole, start] if backwards else [start, whole]
    return call(graph, aten.cat.default, ends, dim)


def written(region: Region, wanted: Slice, result: Node) -> Node:
    """The buffer `wanted.x` after the steps have written their entries of `result` to it."""
    graph = region.graph
    assert wanted.x is not None
    if (order := _whole(region, wanted)) is not None:
        entries = result if order == 1 else call(graph, aten.flip.default, result, [0])
        return moved(graph, entries, 0, wanted.dim)
    along = moved(graph, wanted.x, wanted.dim, 0)
    places = _positions(region, wanted)
    return moved(graph, call(graph, aten.index_put.default, along, [places], result), 0, wanted.dim)


def moved(graph: Graph, x: Node, source: int, target: int) -> Node:
    """x with one axis in another place."""
    if source == target:
        return x
    if {source, target} == {0, 1}:
        return call(graph, aten.transpose.int, x, 0, 1)
    order = [axis for axis in range(value_of(x).dim()) if axis != source]
    order.insert(target, source)
    return call(graph, aten.permute.default, x, order)


def _whole(region: Region, wanted: Slice) -> int | None:
    """1 or -1 if the steps go through the whole axis forwards or backwards."""
    slope, start = _line(wanted.index)
    if not same_size(value_of(wanted.x).shape[wanted.dim], region.count):  # type: ignore[arg-type]
        return None
    if slope == 1 and start == 0:
        return 1
    backwards = sympy.expand(start - expression(region.count) + 1) == 0
    return -1 if slope == -1 and backwards else None


def _line(index: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    return index.diff(INDEX), index.subs(INDEX, 0)


def _positions(region: Region, wanted: Slice) -> Node:
    graph = region.graph
    steps = call(graph, aten.arange.default, region.count)
    slope, start = _line(wanted.index)
    if slope != 1:
        steps = call(graph, aten.mul.Tensor, steps, _number(region, slope))
    if start != 0:
        steps = call(graph, aten.add.Tensor, steps, _number(region, start))
    if start.is_Integer and start < 0:
        # The first steps count from the end, as Python has it.
        below = call(graph, aten.lt.Scalar, steps, 0)
        size = call(graph, aten.sym_size.int, wanted.x, wanted.dim)
        wrapped = call(graph, aten.add.Tensor, steps, size)
        steps = call(graph, aten.where.self, below, wrapped, steps)
    return steps


def _number(region: Region, wanted: sympy.Expr) -> Any:
    return number(region.graph, wanted, region.end)
