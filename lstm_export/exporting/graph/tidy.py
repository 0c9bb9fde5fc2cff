"""What every exported graph goes through: nothing superfluous, nothing of this machine.

The exporter leaves stack traces, absolute paths, and value names that depend on what ran before.
Names here follow from the graph alone, so the same source gives the same bytes everywhere. The
bodies of Scan, Loop and If are treated alike; their names are unique across the whole model, since
they may use the values around them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import onnx_ir as ir

from lstm_export.exporting.graph.select import read_before_transposing, read_parts
from lstm_export.exporting.graph.views import merge_views
from lstm_export.exporting.graph.walk import bodies, graphs

_TRACED = re.compile(
    r"(val|shape|position|constant)(_-?\d+)*|(.*\.)?lifted_tensor_\d+|_?(scalar_)?tensor(_\w*)?\d*"
)
"""Names that tracing, lowering or an earlier tidying gave to constants."""


def tidy(model: ir.Model) -> None:
    """Simplifies, prunes, renames and strips `model`, in place."""
    read_parts(model.graph)
    read_before_transposing(model.graph)
    merge_views(model.graph)
    prune(model.graph)
    _strip(model)
    rename(model.graph)


def prune(graph: ir.Graph) -> None:
    """Removes nodes and initializers that nothing uses."""
    for node in reversed(list(graph)):
        for inner in bodies(node):
            prune(inner)
        if not any(value.is_graph_output() or value.uses() for value in node.outputs):
            _remove(graph, node)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del graph.initializers[name]


def _remove(graph: ir.Graph, node: ir.Node) -> None:
    """Removes `node` and what its bodies use of the values around them."""
    for inner in bodies(node):
        inner.outputs.clear()
        for one in reversed(list(inner)):
            _remove(inner, one)
    graph.remove(node, safe=True)


def _strip(model: ir.Model) -> None:
    model.producer_name, model.producer_version = "lstm_export", None
    model.doc_string, model.domain, model.model_version = None, None, None
    model.metadata_props.clear()
    model.graph.name = "model"
    for graph in graphs(model.graph):
        graph.doc_string = None
        graph.metadata_props.clear()
        ends = [*graph.inputs, *graph.outputs]
        kept = {id(value) for value in ends}
        for node in graph:
            node.doc_string = None
            node.metadata_props.clear()
            for value in node.outputs:
                value.metadata_props.clear()
                if id(value) not in kept:
                    # Runtimes infer these shapes; torch's carry symbols of its own.
                    value.shape = value.type = None
        for value in [*ends, *graph.initializers.values()]:
            value.doc_string = None
            value.metadata_props.clear()
        if graph is not model.graph:
            for value in ends:
                value.shape = _unnamed(value.shape)


def _unnamed(shape: ir.Shape | None) -> ir.Shape | None:
    return None if shape is None else ir.Shape([d if isinstance(d, int) else None for d in shape])


def rename(graph: ir.Graph) -> None:
    """Names everything but the graph's ends and its parameters by type and place."""
    ends = [*graph.inputs, *graph.outputs]
    names = _Names({value.name or "" for value in ends}, {id(value) for value in ends})
    _rename_nodes(graph, names)
    for value in ends:
        if value.is_initializer():
            names.initializers.setdefault(id(value), value)
    _rename_initializers(graph, names)


@dataclass
class _Names:
    """Names that are taken, values that keep theirs, and initializers in order of use."""

    taken: set[str]
    ends: set[int]
    counts: dict[str, int] = field(default_factory=dict)
    initializers: dict[int, ir.Value] = field(default_factory=dict)

    def give(self, value: ir.Value, name: str) -> None:
        while name in self.taken:
            name += "_"
        value.name = name
        self.taken.add(name)


def _rename_nodes(graph: ir.Graph, names: _Names) -> None:
    for node in graph:
        kind = node.op_type.lower()
        number = names.counts[kind] = names.counts.get(kind, 0) + 1
        node.name = f"{kind}_{number}"
        for position, value in enumerate(node.outputs):
            if id(value) not in names.ends:
                several = len(node.outputs) > 1
                names.give(value, f"{node.name}_{position}" if several else node.name)
        for given in node.inputs:
            if given is not None and given.is_initializer():
                names.initializers.setdefault(id(given), given)
        for inner in bodies(node):
            inner.name = f"{node.name}_body"
            for position, value in enumerate(inner.inputs):
                names.give(value, f"{node.name}_input_{position}")
            _rename_nodes(inner, names)


def _rename_initializers(graph: ir.Graph, names: _Names) -> None:
    """Parameters keep their names; constants that tracing made are numbered in order of use."""
    owners = {id(v): one for one in graphs(graph) for v in one.initializers.values()}
    for one in graphs(graph):
        one.initializers.clear()
    number = 0
    for value in names.initializers.values():
        name = value.name or ""
        if _traced_name(name):
            number += 1
            name = f"constant_{number}"
        if id(value) not in names.ends:
            names.give(value, name)
        owners[id(value)].register_initializer(value)


def _traced_name(name: str) -> bool:
    return not name or _TRACED.fullmatch(name) is not None
