"""Reading one place of a tensor before it is put together or turned around."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir import tape


def read_parts(graph: ir.Graph) -> None:
    """Gather(Concat(a, b, …), constant) along the same axis reads a or b directly.

    Stacked layers concatenate their final states, of which a head takes the last.
    """
    for node in list(graph):
        producer, index = _selection(node)
        if producer is None or producer.op_type != "Concat" or index is None:
            continue
        axis = _axis(node, 0)
        widths = [_width(part, axis) for part in producer.inputs]
        if axis != _axis(producer, 0) or any(width is None for width in widths):
            continue
        position = index % sum(width or 0 for width in widths)
        for part, width in zip(producer.inputs, widths, strict=True):
            assert width is not None
            if position < width:
                _read(graph, node, part, position, axis)
                break
            position -= width


def read_before_transposing(graph: ir.Graph) -> None:
    """Gather(Transpose(a), constant) reads a, where that leaves the other axes in their order.

    A head takes the last step of a batch-major sequence that was computed time-major.
    """
    for node in list(graph):
        producer, index = _selection(node)
        if producer is None or producer.op_type != "Transpose" or index is None:
            continue
        order = list(producer.attributes["perm"].as_ints()) if "perm" in producer.attributes else []
        if not order:
            continue
        axis = order.pop(_axis(node, 0) % len(order))
        if order == sorted(order):
            _read(graph, node, producer.inputs[0], index, axis)


def _selection(node: ir.Node) -> tuple[ir.Node | None, int | None]:
    """What makes the tensor that `node` reads one constant place of, and the place."""
    if node.op_type != "Gather" or node.inputs[0] is None:
        return None, None
    index = node.inputs[1]
    if index is None or index.const_value is None or index.const_value.numpy().ndim:
        return None, None
    return node.inputs[0].producer(), int(index.const_value.numpy())


def _read(
    graph: ir.Graph, node: ir.Node, source: ir.Value | None, position: int, axis: int
) -> None:
    """`node` becomes a read of `source` at `position` along `axis`."""
    recorded = tape.Tape()
    name = f"position_{position}"
    index = graph.initializers.get(name)
    if index is None:
        index = recorded.initializer(ir.tensor(np.array(position, np.int64)), name=name)
        graph.register_initializer(index)
    old = node.outputs[0]
    new = recorded.op("Gather", [source, index], {"axis": axis})
    new.shape, new.type = old.shape, old.type
    ir.convenience.replace_nodes_and_values(graph, node, [node], recorded.nodes, [old], [new])


def _axis(node: ir.Node, default: int) -> int:
    attribute = node.attributes.get("axis")
    return default if attribute is None else attribute.as_int()


def _width(value: ir.Value | None, axis: int) -> int | None:
    if value is None or value.shape is None:
        return None
    width = value.shape[axis]
    return width if isinstance(width, int) else None
