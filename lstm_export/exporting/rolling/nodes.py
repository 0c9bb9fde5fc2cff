"""Nodes of an FX graph: making them with their shapes, reading sizes, finding the user's line."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

import sympy
import torch
from torch import Tensor
from torch._dispatch.python import enable_python_dispatcher
from torch.fx import Graph, Node
from torch.utils import _pytree as pytree

from lstm_export.exporting.tracing.blame import Place, is_users

aten = torch.ops.aten

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in [^\n]*\n(?P<source>[^\n]*)')


def call(graph: Graph, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Node:
    """A node for target(*args), its value worked out on shapes alone."""
    node = graph.call_function(target, args, kwargs)
    if target is aten.arange.default:
        # torch wants a plain number there.
        with fake_mode(graph):
            node.meta["val"] = torch.empty(_size(args[0]), dtype=torch.int64)
        return node
    if target is aten.select.int and not isinstance(args[2], int):
        # For an index of unknown sign torch would make up a symbol.
        x = value_of(args[0])
        with fake_mode(graph):
            node.meta["val"] = x.new_empty([*x.shape[: args[1]], *x.shape[args[1] + 1 :]])
        return node
    values, named = pytree.tree_map_only(Node, value_of, (args, kwargs))
    if all(not isinstance(value, Tensor) for value in pytree.tree_leaves(values)):
        node.meta["val"] = target(*values, **named)
        return node
    # Without the dispatcher in Python, kernels in C++ ask sizes for plain numbers.
    with fake_mode(graph), enable_python_dispatcher():
        node.meta["val"] = target(*values, **named)
    return node


def _size(count: Any) -> Any:
    return value_of(count) if isinstance(count, Node) else count


def fake_mode(graph: Graph) -> Any:
    """The mode in which the shapes of `graph` were worked out."""
    for node in graph.nodes:
        if isinstance(value_of(node), Tensor):
            return value_of(node).fake_mode
    raise AssertionError("a graph without tensors has no loops")


def value_of(node: Node) -> Any:
    """What tracing knows of a node's value: a fake tensor, a symbolic number, or a tuple."""
    return node.meta.get("val")


def is_scalar(argument: Any) -> bool:
    """Whether an argument is a number, known or symbolic, rather than a tensor."""
    value = value_of(argument) if isinstance(argument, Node) else argument
    return isinstance(value, torch.SymInt | torch.SymFloat | int | float) and not isinstance(
        value, bool
    )


def expression(argument: Any) -> sympy.Expr:
    """A number as sympy has it."""
    value = value_of(argument) if isinstance(argument, Node) else argument
    return value.node.expr if hasattr(value, "node") else sympy.sympify(value)


def same_size(one: Any, other: Any) -> bool:
    """Whether two sizes are known to be equal."""
    difference: sympy.Expr = sympy.expand(expression(one) - expression(other))
    return bool(difference == 0)


def same_shape(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are known to have the same shape."""
    return one.dim() == other.dim() and all(map(same_size, one.shape, other.shape))


def inputs_of(arguments: Any) -> Iterator[Node]:
    """The nodes within nested arguments."""
    for leaf in pytree.tree_leaves(arguments, is_leaf=lambda part: isinstance(part, Node)):
        if isinstance(leaf, Node):
            yield leaf


def place_of(node: Node) -> Place | None:
    """The innermost line of the user's code that made a node."""
    frames = list(_FRAME.finditer(node.meta.get("stack_trace") or ""))
    for frame in reversed(frames):
        if is_users(frame["file"]):
            return Place(frame["file"], int(frame["line"]), frame["source"].strip())
    return None


def number(graph: Graph, wanted: sympy.Expr, before: Node) -> Any:
    """A number worked out from the sizes of the graph's inputs and what precedes `before`.

    Raises LookupError where it is not known.
    """
    if wanted.is_Integer:
        return int(wanted)
    if wanted.is_Symbol:
        return _source(graph, wanted, before)
    if isinstance(wanted, sympy.Add | sympy.Mul):
        operation = operator.add if isinstance(wanted, sympy.Add) else operator.mul
        parts = [number(graph, part, before) for part in wanted.args]
        return functools.reduce(lambda one, other: call(graph, operation, one, other), parts)
    return _scalar(graph, wanted, before)


def _source(graph: Graph, symbol: sympy.Symbol, before: Node) -> Node:
    for node in graph.find_nodes(op="placeholder"):
        if isinstance(value_of(node), Tensor):
            for axis, size in enumerate(value_of(node).shape):
                if expression(size) == symbol:
                    return call(graph, aten.sym_size.int, node, axis)
    return _scalar(graph, symbol, before)


def _scalar(graph: Graph, wanted: sympy.Expr, before: Node) -> Node:
    node: Node
    for node in graph.nodes:
        if node is before:
            break
        if is_scalar(node) and expression(node) == wanted:
            return node
    raise LookupError(wanted)


def is_check(node: Node) -> bool:
    """Whether a node only asserts something about numbers."""
    return "_assert" in str(node.target) or "sym_constrain" in str(node.target)
