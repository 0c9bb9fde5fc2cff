"""Two changes to an ONNX file, made on its bytes: more outputs, and a node that becomes an input.

Field numbers are those of onnx.proto. Messages of protobuf that stand one after another are read
as one: single fields of the later one win, repeated ones are joined, messages inside are merged in
the same way (https://protobuf.dev/programming-guides/encoding/#last-one-wins). So a file followed
by a ModelProto that holds nothing but a graph of outputs is the same file with more outputs.
"""

from __future__ import annotations

from collections.abc import Iterable

from lstm_export.bundle import wire

_GRAPH = 7
_NODE, _INPUT, _OUTPUT, _VALUE_INFO = 1, 11, 12, 13
_FLOAT = 1


def with_outputs(model: bytes, names: Iterable[str]) -> bytes:
    """`model` with the tensors `names` as further outputs, their types left to the runtime."""
    added = b"".join(_field(_OUTPUT, _field(1, name.encode())) for name in names)
    return model + _field(_GRAPH, added)


def without_node(model: bytes, position: int, outputs: Iterable[str]) -> bytes:
    """`model` without the node at `position` of its graph: its `outputs`, float32, are fed."""
    kept = []
    for number, value in wire.fields(memoryview(model)):
        if number == _GRAPH:
            kept.append(_field(_GRAPH, _graph_without(wire.content(value), position)))
        else:
            kept.append(_again(number, value))
    # ValueInfoProto{name, type: TypeProto{tensor_type: {elem_type}}}: of any rank and shape
    kind = _field(2, _field(1, wire.varint(1 << 3) + wire.varint(_FLOAT)))
    fed = b"".join(_field(_INPUT, _field(1, name.encode()) + kind) for name in outputs)
    return b"".join(kept) + _field(_GRAPH, fed)


def _graph_without(graph: memoryview, position: int) -> bytes:
    kept, node = [], -1
    for number, value in wire.fields(graph):
        node += number == _NODE
        if number == _NODE and node == position:
            continue
        # What is said of tensors in between would be said of the new inputs a second time.
        if number != _VALUE_INFO:
            kept.append(_again(number, value))
    return b"".join(kept)


def _again(number: int, value: int | memoryview) -> bytes:
    """A field as it was read. Neither a model nor a graph has fields of a fixed width."""
    if isinstance(value, int):
        return wire.varint(number << 3 | wire.VARINT) + wire.varint(value)
    return _field(number, value)


def _field(number: int, content: bytes | memoryview) -> bytes:
    return wire.varint(number << 3 | wire.BYTES) + wire.varint(len(content)) + bytes(content)
