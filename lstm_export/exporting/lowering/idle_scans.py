"""Scans that count steps and read nothing of what they scan, made to read it.

`for t in range(n): h = cell(h)` scans the numbers of its steps, for a Scan must scan something, and
has no use for them. OpenVINO forgets what a body does not read, and with it how often the body is
to run: it runs once, without a word. tract refuses a Scan that is left without an input. So zeros
are scanned instead, and subtracted from one of the results: y − 0 is y, bit by bit, −0 and NaN
included. The zeros are min(t, 0) of the numbers t of the steps, for a constant would be forgotten
all the same.
"""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Nodes

_NUMBERS = frozenset([ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.INT32, ir.DataType.INT64])


def read_steps(model: ir.Model) -> None:
    """Makes every Scan of `model` whose body ignores what it scans read it, in place."""
    for node in list(ir.traversal.RecursiveGraphIterator(model.graph)):
        if node.op_type == "Scan" and not node.domain:
            _read(model.graph, node)


def _read(main: ir.Graph, scan: ir.Node) -> None:
    body = scan.attributes["body"].as_graph()
    first = len(body.inputs) - scan.attributes["num_scan_inputs"].as_int()
    place, given = _result(scan, body), scan.inputs[first]
    if place is None or given is None or any(_is_read(value) for value in body.inputs[first:]):
        return
    result, entry = body.outputs[place], body.inputs[first]
    assert result.dtype is not None
    outer, inner = Nodes(main), Nodes(main)
    zeros = outer.op("Min", [_numbers(outer, given), outer.integer(0)])
    zeros = outer.op("Cast", [zeros], {"to": result.dtype})
    # An Identity is there because an output of a body can only be one of its results.
    producer = result.producer()
    copied = producer is not None and producer.op_type == "Identity"
    source = producer.inputs[0] if producer is not None and copied else result
    entry.type, entry.shape = ir.TensorType(result.dtype), ir.Shape([])
    read = inner.op("Sub", [source, entry])
    read.type, read.shape = result.type, result.shape
    body.extend(inner.tape.nodes)
    body.outputs[place] = read
    assert scan.graph is not None
    scan.graph.insert_before(scan, outer.tape.nodes)
    scan.replace_input_with(first, zeros)


def _is_read(value: ir.Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()


def _result(scan: ir.Node, body: ir.Graph) -> int | None:
    """The last result of `body` that is a number and that something after `scan` reads."""
    places = reversed(range(len(body.outputs)))
    read = (place for place in places if _is_read(scan.outputs[place]))
    return next((place for place in read if body.outputs[place].dtype in _NUMBERS), None)


def _numbers(nodes: Nodes, scanned: ir.Value) -> ir.Value:
    """0, 1, 2, … int64, one for each entry of `scanned` along its first axis."""
    zero, one = nodes.integer(0), nodes.integer(1)
    producer = scanned.producer()
    if producer is not None and producer.op_type == "Range" and _is_zero(producer.inputs[0]):
        return scanned
    size = nodes.op("Gather", [nodes.op("Shape", [scanned]), zero], {"axis": 0})
    return nodes.op("Range", [zero, size, one])


def _is_zero(value: ir.Value | None) -> bool:
    """Whether `value` is the int64 0."""
    if value is None or value.const_value is None or value.dtype != ir.DataType.INT64:
        return False
    return not value.const_value.numpy().any()
