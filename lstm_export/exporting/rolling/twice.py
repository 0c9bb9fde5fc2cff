"""Whether a program depends on how many steps of its loops were recorded.

Python counts recorded steps where a user meant steps: `count += 1` in a loop, `outputs[2]`, a list
with the same tensor from every step. Recorded with another number of steps, such a program comes
out different, and any other the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.utils import _pytree as pytree

from lstm_export.errors import ExportError
from lstm_export.exporting.rolling.nodes import is_check, place_of


def expect_same(program: ExportedProgram, other: ExportedProgram) -> None:
    """Raises ExportError, with the user's line, where two recordings of one module differ."""
    constants = (_constants(program), _constants(other))
    ours, theirs = (list(_nodes(one.graph_module)) for one in (program, other))
    known: dict[Node, Node] = {}
    for one, another in zip(ours, theirs, strict=False):
        known[one] = another
        if not _alike(one, another, known, constants):
            raise _refused(one)
    if len(ours) != len(theirs):
        raise _refused((ours if len(ours) > len(theirs) else theirs)[min(len(ours), len(theirs))])


def _alike(
    one: Node, other: Node, known: dict[Node, Node], constants: tuple[dict[str, Any], ...]
) -> bool:
    if one.op == "placeholder":
        ours, theirs = (
            all.get(node.name) for all, node in zip(constants, (one, other), strict=True)
        )
        if ours is not None or theirs is not None:
            return ours is not None and theirs is not None and torch.equal(ours, theirs)
        return True
    if one.op == "get_attr" or one.op == other.op == "output":
        return one.op == other.op and _same(one.args, other.args, known)
    if one.op != other.op or one.target != other.target:
        return False
    return _same((one.args, one.kwargs), (other.args, other.kwargs), known)


def _same(ours: Any, theirs: Any, known: dict[Node, Node]) -> bool:
    one, other = (
        pytree.tree_leaves(part, is_leaf=lambda leaf: isinstance(leaf, Node))
        for part in (ours, theirs)
    )
    return len(one) == len(other) and all(
        known.get(a) is b if isinstance(a, Node) else a == b or repr(a) == repr(b)  # NaN
        for a, b in zip(one, other, strict=True)
    )


def _nodes(module: GraphModule) -> Iterator[Node]:
    """The nodes of a graph, after those of its loops' bodies."""
    for child in module.children():
        if isinstance(child, GraphModule):
            yield from _nodes(child)
    yield from (node for node in module.graph.nodes if not is_check(node))


def _constants(program: ExportedProgram) -> dict[str, Any]:
    signature = program.graph_signature
    return {
        name: program.constants[target]
        for name, target in signature.inputs_to_lifted_tensor_constants.items()
        if isinstance(program.constants.get(target), torch.Tensor)
    }


def _refused(node: Node) -> ExportError:
    place = place_of(node)
    where = f"\n  at {place}" if place is not None else ""
    return ExportError(
        "what is computed here depends on how often a time loop was recorded, not on how long it "
        "runs: Python counts its steps, takes a fixed entry of a list that it filled, or fills a "
        f"list with the same tensor in every step; compute it from x.size(dim) and tensors{where}"
    )
