"""The sizes of a program that are made free, and those that stay, each for a reason."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import sympy
import torch
from sympy import Expr, Symbol
from torch import Tensor, fx
from torch.fx.experimental import _config as shape_settings

from lstm_export.importing.programs.meaning import comes_from, takes_part
from lstm_export.importing.programs.place import place
from lstm_export.importing.programs.walk import Axis, Walk

_ATEN = torch.ops.aten


def freed(module: fx.GraphModule) -> tuple[str, ...]:
    """Rewrites the graph so that it computes the same for other sizes, in place; gives notes.

    Axes that stay as they were are checked where the graph starts.
    """
    walk, reason = _walked(module, ones=True)
    if reason:
        walk, reason = _walked(module, ones=False)
    axes = walk.found.axes
    if reason:
        _hold(module, axes, dict.fromkeys(axes, f"the graph cannot be followed ({reason})"))
        return (f"every size stays what it was when the program was saved: {reason}",)
    _rewrite(module, walk)
    module.graph.eliminate_dead_code()
    stays = {symbol: reason for symbol, (reason, _) in walk.found.reasons.items()}
    live = set(module.graph.nodes)
    for symbol, axis in axes.items():
        if symbol not in stays and (why := _needed(walk, symbol, axis, live)) is not None:
            stays[symbol] = why
    # Equal symbols are one size.
    simplify = walk.symbols.env.simplify
    for symbol in axes:
        for other in list(stays):
            if symbol not in stays and simplify(symbol) == simplify(other):
                stays[symbol] = stays[other]
    ties = _ties(walk, stays)
    _hold(module, axes, stays)
    _tie(module, walk, ties)
    return tuple(_notes(walk, stays, live, ties))


def _walked(module: fx.GraphModule, ones: bool) -> tuple[Walk, str]:
    """The walk over the graph, and why it came to no end; empty if it did."""
    walk = Walk(module, ones)
    inputs = walk.inputs()
    try:
        # Without it torch decides at each operator whether a size is 1.
        with shape_settings.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
            walk.run(*inputs)
    except Exception as error:  # whatever an operator does not take
        return walk, next((one for one in str(error).splitlines() if one), type(error).__name__)
    return walk, ""


def _needed(walk: Walk, symbol: Symbol, axis: Axis, live: set[fx.Node]) -> str | None:
    """What in the graph needs that a size, which nothing fixes, is what it was; None if nothing."""
    simplify, found = walk.symbols.env.simplify, walk.found
    size = simplify(symbol)
    for varies, node, number in found.parts:
        concerned = node in live and size.free_symbols & simplify(varies).free_symbols
        if concerned and (part := takes_part(node, number)):
            return part + place(node)
    known = {simplify(one) for one in found.places}
    for (node, _, _), made in found.made.items():
        free = simplify(made.node._expr)
        if node not in live:
            continue
        if free.free_symbols and free not in known and walk.symbols.number(made) == axis.size:
            return f"{_name(node)} makes a tensor of as many{place(node)}"
    if size in map(simplify, found.batches):
        # What a program computes for a sequence does not depend on how many there are beside it.
        return None
    others = [one.size for one in found.axes.values()]
    for each in found.numbers:
        if each.node in live and comes_from(each, axis.size, others):
            return f"{_name(each.node)} has {each.value:g}, which may come of it{place(each.node)}"
    return None


def _ties(walk: Walk, stays: dict[Symbol, str]) -> dict[Symbol, Symbol]:
    """Axes as long as the batch, by nothing in the graph, and an axis of the batch for each.

    Lengths that only index a range of the batch are such; to take equal sizes alone is safe.
    """
    simplify, found = walk.symbols.env.simplify, walk.found
    batches, lengths = (
        {simplify(one) for one in group} for group in (found.batches, found.lengths)
    )
    free = [symbol for symbol in found.axes if symbol not in stays]
    of_batch = [symbol for symbol in free if simplify(symbol) in batches]
    others = [symbol for symbol in free if simplify(symbol) not in batches | lengths]
    return {
        symbol: of_batch[0]
        for symbol in others
        if of_batch and found.axes[symbol].size == found.axes[of_batch[0]].size
    }


def _tie(module: fx.GraphModule, walk: Walk, ties: dict[Symbol, Symbol]) -> None:
    places = walk.found.places
    with module.graph.inserting_before(_start(module.graph)):
        for one, other in ties.items():
            module.graph.call_function(equal_sizes, (*places[one], *places[other]))
    module.recompile()


def _notes(
    walk: Walk, stays: dict[Symbol, str], live: set[fx.Node], ties: dict[Symbol, Symbol]
) -> Iterator[str]:
    simplify, found = walk.symbols.env.simplify, walk.found
    batches, lengths = (
        {simplify(one) for one in group} for group in (found.batches, found.lengths)
    )
    free: dict[Expr, list[Axis]] = {}
    for symbol, axis in found.axes.items():
        if symbol not in stays:
            free.setdefault(simplify(ties.get(symbol, symbol)), []).append(axis)
            continue
        weights = symbol in found.reasons and found.reasons[symbol][1]
        if not weights or symbol in (*found.batches, *found.lengths):
            yield f"axis {axis.dim} of {axis.name} stays {axis.size}: {stays[symbol]}"
    for size, group in free.items():
        what = "batch" if size in batches else "length" if size in lengths else "size"
        names = ", ".join(f"axis {one.dim} of {one.name}" for one in group)
        yield (
            f"the program was saved for a {what} of {group[0].size} alone ({names}): nothing in "
            "its graph needs that one, so any is taken"
        )
    if any(size not in batches for size in free):
        plain = {
            f"{each.value:g} ({_name(each.node)})"
            for each in found.numbers
            if abs(each.value) not in (0, 1) and each.node in live
        }
        if plain:
            yield f"taken for constants, whatever the length: {', '.join(sorted(plain))}"


def _rewrite(module: fx.GraphModule, walk: Walk) -> None:
    """Puts sizes in the place of the numbers that they were."""
    writer = _Writer(module.graph, walk)
    for (node, position, index), made in walk.found.made.items():
        size = writer.expression(walk.symbols.env.simplify(made.node._expr), node)
        if size is None:
            continue
        old = node.args[position]
        new = [*old[:index], size, *old[index + 1 :]] if isinstance(old, list | tuple) else size
        node.update_arg(position, new)
    for node, sizes in walk.found.views.items():
        written = [writer.size(one, node) for one in sizes]
        if None not in written:
            node.target = _ATEN.reshape.default
            node.update_arg(1, written)
    for node, dims in walk.found.squeezes.items():
        viewed: Any = node.args[0]
        node.target = _ATEN.squeeze.dims
        node.args = (viewed, dims)
        if not dims:
            node.replace_all_uses_with(viewed)


class _Writer:
    """Writes sizes as nodes."""

    def __init__(self, graph: fx.Graph, walk: Walk) -> None:
        self._graph, self._walk = graph, walk
        self._inputs = {
            walk.symbols.env.simplify(symbol): where for symbol, where in walk.found.places.items()
        }
        self._start = _start(graph)
        self._written: dict[Any, fx.Node] = {}

    def size(self, size: Any, node: fx.Node) -> fx.Node | int | None:
        if isinstance(size, tuple):
            viewed: Any = node.args[0]
            with self._graph.inserting_before(node):
                axes = [self._graph.call_function(_ATEN.sym_size.int, (viewed, a)) for a in size]
            return self._product(list(axes), node)
        if isinstance(size, int):
            return size
        return self.expression(self._walk.symbols.env.simplify(size), node)

    def expression(self, size: Expr, node: fx.Node) -> fx.Node | int | None:
        """A number, or a product of inputs' sizes; None for what is neither."""
        factors: list[fx.Node | int] = []
        for one in sympy.Mul.make_args(size):
            if one.is_Integer:
                factors.append(int(one))
            elif one in self._inputs:
                factors.append(self._input(one))
            else:
                return None
        return self._product(factors, node)

    def _input(self, symbol: Expr) -> fx.Node:
        if symbol not in self._written:
            with self._graph.inserting_before(self._start):
                self._written[symbol] = self._graph.call_function(
                    _ATEN.sym_size.int, self._inputs[symbol]
                )
        return self._written[symbol]

    def _product(self, factors: list[Any], node: fx.Node) -> fx.Node | int:
        result: fx.Node | int
        result, *rest = factors or [1]
        for one in rest:
            with self._graph.inserting_before(node):
                result = self._graph.call_function(operator.mul, (result, one))
        return result


def _hold(module: fx.GraphModule, axes: dict[Symbol, Axis], stays: dict[Symbol, str]) -> None:
    """Checks, where the graph starts, that the axes that stay are what they were."""
    inputs = {str(one.target): one for one in module.graph.nodes if one.op == "placeholder"}
    with module.graph.inserting_before(_start(module.graph)):
        for symbol, why in stays.items():
            axis = axes[symbol]
            module.graph.call_function(same_size, (inputs[axis.name], axis.dim, axis.size, why))
    module.recompile()


def same_size(x: Tensor, dim: int, size: int, reason: str) -> None:
    """Demands a size, when it is run and of whoever traces it."""
    from lstm_export.exporting.capture.opaque import fix

    if isinstance(x.shape[dim], int) and x.shape[dim] != size:
        raise ValueError(f"axis {dim} is {x.shape[dim]}, and has to be {size}: {reason}")
    fix(x.shape[dim], size, reason)


def _start(graph: fx.Graph) -> fx.Node:
    """The first node behind all inputs; weights may be read before them."""
    *_, last = (node for node in graph.nodes if node.op == "placeholder")
    following: fx.Node = last.next
    return following


def equal_sizes(x: Tensor, dim: int, other: Tensor, other_dim: int) -> None:
    """Demands that two axes are equally long, when it is run and of whoever traces it."""
    from lstm_export.exporting.capture.opaque import demand

    demand(x.shape[dim] == other.shape[other_dim])


def _name(node: fx.Node) -> str:
    return str(node.target).removeprefix("aten.").partition(".")[0]
