"""Operators without a translation, taken apart where they stand.

`ExportedProgram.run_decompositions` retraces the whole program, the bodies of its loops several
times over, for the sake of one `gru_cell`. Here that operator alone is traced, on the fake tensors
that the program has for its inputs, and what it consists of takes its place: the same graph in a
fraction of the time. What needs more than that (sizes worked out, tensors written to) is left to
torch.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import sympy
import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.utils import _pytree as pytree

_SCAN = torch.ops.higher_order.scan
_ORIGIN = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn")
"""What of a node's meta says where it comes from."""

Traced = Callable[[Callable[..., Any], Sequence[Tensor]], GraphModule]


@dataclass(frozen=True, slots=True)
class Rules:
    """Which operators stay whole, and how a function of tensors becomes a graph of such.

    `traced` is called within `tracing`, which costs a hundredth of a second to enter.
    """

    stays: Callable[[Node], bool]
    traced: Traced
    tracing: Callable[[], AbstractContextManager[Any]]


class NotApartError(Exception):
    """This program is for torch to decompose."""


def taken_apart(module: GraphModule, rules: Rules) -> GraphModule:
    """A copy of `module` in which every operator stays whole, in the bodies of its scans too.

    Raises NotApartError where more would change than the operators that do not.
    """
    copies = _copies(module)
    work = [
        (one.graph, node)
        for one in copies
        for node in one.graph.nodes
        if not _is_whole(node, rules)
    ]
    if work:
        with rules.tracing():
            parts = [_parts_of(node, rules) for _, node in work]
        for (graph, node), traced in zip(work, parts, strict=True):
            _replace(graph, node, traced)
    for one in copies:
        one.recompile()
    return copies[-1]


def _copies(module: GraphModule) -> list[GraphModule]:
    """`module` and the bodies of its scans copied, itself last."""
    copied = GraphModule(module, copy.deepcopy(module.graph))
    copied.meta.update(module.meta)
    found: list[GraphModule] = []
    for node in copied.graph.find_nodes(op="call_function", target=_SCAN):
        _expect_plain_length(node)
    for name, body in module.named_children():
        if not isinstance(body, GraphModule):
            raise NotApartError(f"{name} is no graph")
        found += _copies(body)
        _specialise(found[-1], inputs=True)
        setattr(copied, name, found[-1])
    if found:
        # The sizes of a program's own inputs are what its axes are called by.
        _specialise(copied, inputs=False)
    return [*found, copied]


def _expect_plain_length(scan: Node) -> None:
    """torch writes the length of a slice, one step less than a sequence, in a form of its own."""
    read: Any = scan.args[2]
    steps = [size for node in read for size in node.meta["val"].shape[:1]]
    if not all(_expression(size).is_Atom for size in steps):
        raise NotApartError(f"{scan} runs over a part of a sequence")


def _specialise(module: GraphModule, *, inputs: bool) -> None:
    """Sizes are numbers where tracing came to know them after the tensor was made."""
    for node in module.graph.nodes:
        if inputs or node.op != "placeholder":
            value = node.meta.get("val")
            node.meta["val"] = pytree.tree_map_only(Tensor, _specialised, value)


def _specialised(value: Any) -> Any:
    if not any(map(_is_known, value.shape)):
        return value
    sizes, strides = (
        [int(size) if _is_known(size) else size for size in sizes]
        for sizes in (value.shape, value.stride())
    )
    with value.fake_mode:
        return torch.empty_strided(sizes, strides, dtype=value.dtype, device=value.device)


def _is_known(size: Any) -> bool:
    return not isinstance(size, int) and bool(_expression(size).is_number)


def _expression(size: Any) -> Any:
    return sympy.sympify(size) if isinstance(size, int) else size.node.expr


def _is_whole(node: Node, rules: Rules) -> bool:
    if node.op == "get_attr":
        if all(user.target is _SCAN for user in node.users):
            return True
        raise NotApartError(f"{node} is no body of a scan")
    return node.op != "call_function" or node.target is _SCAN or rules.stays(node)


def _parts_of(node: Node, rules: Rules) -> GraphModule:
    """What `node` does, in operators that stay whole; its inputs are those of the node."""
    target: Any = node.target
    if not isinstance(target, torch._ops.OpOverload) or target._schema.is_mutable:
        raise NotApartError(f"{node} is more than a function of tensors")
    leaves, spec = pytree.tree_flatten((node.args, node.kwargs))
    values: list[Any] = [leaf.meta.get("val") for leaf in leaves if isinstance(leaf, Node)]
    if not values or not all(isinstance(value, Tensor) for value in values):
        raise NotApartError(f"{node} takes numbers")

    def call(*tensors: Tensor) -> Any:
        rest = iter(tensors)
        filled = [next(rest) if isinstance(leaf, Node) else leaf for leaf in leaves]
        args, kwargs = pytree.tree_unflatten(filled, spec)
        return target(*args, **kwargs)

    try:
        traced = rules.traced(call, values)
    except Exception as error:
        raise NotApartError(f"{node} cannot be traced alone") from error
    for part in traced.graph.nodes:
        if part.op == "get_attr" or (part.op == "call_function" and not _may_stand(part, rules)):
            raise NotApartError(f"{node} takes {part} as well")
    if any(user.target is not operator.getitem for user in node.users) and not isinstance(
        traced.graph.output_node().args[0], Node
    ):
        raise NotApartError(f"{node} gives several tensors at once")
    return traced


def _may_stand(part: Node, rules: Rules) -> bool:
    results = pytree.tree_leaves(part.meta.get("val"))
    return rules.stays(part) and all(isinstance(result, Tensor) for result in results)


def _replace(graph: Graph, node: Node, traced: GraphModule) -> None:
    leaves = pytree.tree_leaves((node.args, node.kwargs))
    given = iter([leaf for leaf in leaves if isinstance(leaf, Node)])
    origin = {key: node.meta[key] for key in _ORIGIN if key in node.meta}
    copies: dict[Node, Node] = {}
    with graph.inserting_before(node):
        for part in traced.graph.nodes:
            if part.op == "placeholder":
                copies[part] = next(given)
            elif part.op == "call_function":
                copies[part] = graph.node_copy(part, copies.__getitem__)
                copies[part].meta = {**origin, "val": part.meta["val"]}
    result: Any = traced.graph.output_node().args[0]
    if isinstance(result, Node):
        node.replace_all_uses_with(copies[result])
    else:
        for item in list(node.users):
            index: Any = item.args[1]
            item.replace_all_uses_with(copies[result[index]])
            graph.erase_node(item)
    graph.erase_node(node)
