"""What every exported graph goes through: nothing superfluous, nothing of this machine.

The exporter leaves stack traces, absolute paths, and value names that depend on what ran before.
Names here follow from the graph alone, so the same source gives the same bytes everywhere.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir import tape


def tidy(model: ir.Model) -> None:
    """Simplifies, prunes, renames and strips `model`, in place."""
    _select_from_parts(model.graph)
    _remove_dead(model.graph)
    _strip(model)
    _rename(model.graph)


def _select_from_parts(graph: ir.Graph) -> None:
    """Gather(Concat(a, b, …), constant) along the same axis reads a or b directly.

    Stacked layers concatenate their final states, of which a head takes the last.
    """
    for node in list(graph):
        if node.op_type != "Gather":
            continue
        concat, index = node.inputs[0], _constant(node.inputs[1])
        producer = concat.producer() if concat is not None else None
        if producer is None or producer.op_type != "Concat" or index is None or index.ndim:
            continue
        axis = _axis(node, 0)
        widths = [_width(part, axis) for part in producer.inputs]
        if axis != _axis(producer, 0) or any(width is None for width in widths):
            continue
        position = int(index) % sum(width or 0 for width in widths)
        for part, width in zip(producer.inputs, widths, strict=True):
            assert width is not None
            if position < width:
                _read_part(graph, node, part, position)
                break
            position -= width


def _read_part(graph: ir.Graph, node: ir.Node, part: ir.Value | None, position: int) -> None:
    recorded = tape.Tape()
    name = f"position_{position}"
    index = graph.initializers.get(name)
    if index is None:
        index = recorded.initializer(ir.tensor(np.array(position, np.int64)), name=name)
        graph.register_initializer(index)
    old = node.outputs[0]
    new = recorded.op("Gather", [part, index], {"axis": _axis(node, 0)})
    new.shape, new.type = old.shape, old.type
    ir.convenience.replace_nodes_and_values(graph, node, [node], recorded.nodes, [old], [new])


def _remove_dead(graph: ir.Graph) -> None:
    for node in reversed(list(graph)):
        if not any(value.is_graph_output() or value.uses() for value in node.outputs):
            graph.remove(node, safe=True)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del graph.initializers[name]


def _strip(model: ir.Model) -> None:
    model.producer_name, model.producer_version = "lstm_export", None
    model.doc_string, model.domain, model.model_version = None, None, None
    model.metadata_props.clear()
    graph = model.graph
    graph.name, graph.doc_string = "model", None
    graph.metadata_props.clear()
    ends = {id(value) for value in [*graph.inputs, *graph.outputs]}
    for node in graph:
        node.doc_string = None
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
            if id(value) not in ends:
                # Runtimes infer these shapes; torch's carry symbols of its own.
                value.shape = value.type = None
    for value in [*graph.inputs, *graph.outputs, *graph.initializers.values()]:
        value.doc_string = None
        value.metadata_props.clear()


def _rename(graph: ir.Graph) -> None:
    kept = {value.name for value in [*graph.inputs, *graph.outputs]}
    counts: dict[str, int] = {}
    for node in graph:
        kind = node.op_type.lower()
        counts[kind] = counts.get(kind, 0) + 1
        node.name = f"{kind}_{counts[kind]}"
        for position, value in enumerate(node.outputs):
            if value.is_graph_output():
                continue
            value.name = f"{node.name}_{position}" if len(node.outputs) > 1 else node.name
            while value.name in kept:
                value.name += "_"
    _rename_initializers(graph, kept)


def _rename_initializers(graph: ir.Graph, kept: set[str | None]) -> None:
    """Parameters keep their names; constants that tracing made are numbered in order of use."""
    ordered: dict[int, ir.Value] = {}
    for node in graph:
        for value in node.inputs:
            if value is not None and value.is_initializer():
                ordered.setdefault(id(value), value)
    graph.initializers.clear()
    number = 0
    for value in ordered.values():
        if _traced_name(value.name or ""):
            number += 1
            value.name = f"constant_{number}"
        while value.name in kept or value.name in graph.initializers:
            value.name = f"{value.name}_"
        graph.register_initializer(value)


def _traced_name(name: str) -> bool:
    return name.split("_")[0] in ("val", "lifted", "scalar", "tensor", "shape", "position", "")


def _constant(value: ir.Value | None) -> np.ndarray | None:
    if value is None or value.const_value is None:
        return None
    return value.const_value.numpy()


def _axis(node: ir.Node, default: int) -> int:
    attribute = node.attributes.get("axis")
    return default if attribute is None else attribute.as_int()


def _width(value: ir.Value | None, axis: int) -> int | None:
    if value is None or value.shape is None:
        return None
    width = value.shape[axis]
    return width if isinstance(width, int) else None
