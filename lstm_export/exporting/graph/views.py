"""Views of one tensor, one after the other, as a single Transpose.

An operator's output has an axis of directions. Taking it away, turning the rest to batch first and
putting an axis of size 1 in elsewhere moves no number: it is one order of the same axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from onnx_ir import tape


def merge_views(graph: ir.Graph) -> None:
    """Squeeze, Transpose and Unsqueeze in a row become one Transpose where they come to that."""
    for node in list(graph):
        if node.graph is graph and node.op_type == "Unsqueeze":
            _merge(graph, node)


@dataclass
class _Chain:
    """The nodes from first to last, and the tensor that they view."""

    nodes: list[ir.Node]
    source: ir.Value


def _merge(graph: ir.Graph, last: ir.Node) -> None:
    chain = _chain(last)
    kinds = [node.op_type for node in chain.nodes]
    if kinds.count("Squeeze") != 1 or "Transpose" not in kinds:
        return
    perms = [len(_perm(node)) for node in chain.nodes if node.op_type == "Transpose"]
    before = perms[0] + (1 if kinds.index("Squeeze") < kinds.index("Transpose") else 0)
    # The axes by number, the squeezed one as None until an axis of size 1 is put in again.
    axes: list[int | None] = list(range(before))
    gone: int | None = None
    for node in chain.nodes:
        if node.op_type == "Transpose":
            axes = [axes[i] for i in _perm(node)]
            continue
        place = _axis(node)
        if place is None:
            return
        if node.op_type == "Squeeze":
            gone = axes.pop(place % len(axes))
        elif gone is None:
            return
        else:
            axes.insert(place % (len(axes) + 1), gone)
            gone = None
    if gone is not None:
        return
    old = last.outputs[0]
    recorded = tape.Tape()
    new = recorded.op("Transpose", [chain.source], {"perm": [i for i in axes if i is not None]})
    new.shape, new.type = old.shape, old.type
    ir.convenience.replace_nodes_and_values(graph, last, [last], recorded.nodes, [old], [new])


def _chain(last: ir.Node) -> _Chain:
    """The views that end in `last`, each of which is read by the next one alone."""
    nodes = [last]
    source = last.inputs[0]
    while source is not None and not source.is_graph_output() and len(source.uses()) == 1:
        node = source.producer()
        if node is None or node.op_type not in ("Squeeze", "Transpose"):
            break
        nodes.insert(0, node)
        source = node.inputs[0]
        if node.op_type == "Squeeze":
            break
    assert source is not None
    return _Chain(nodes, source)


def _perm(node: ir.Node) -> list[int]:
    return list(node.attributes["perm"].as_ints()) if "perm" in node.attributes else []


def _axis(node: ir.Node) -> int | None:
    """The one axis that a Squeeze or an Unsqueeze names."""
    axes = node.inputs[1] if len(node.inputs) > 1 else None
    if axes is None or axes.const_value is None or axes.const_value.size != 1:
        return None
    return int(axes.const_value.numpy().reshape(-1)[0])
