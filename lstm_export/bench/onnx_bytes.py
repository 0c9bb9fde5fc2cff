"""Graphs of one node, written byte by byte: the yardsticks need no `onnx` package.

Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), the
encoding https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_export.bundle.wire import varint

_FLOAT32 = 1
_IR_VERSION, _OPSET = 8, 18


def identity_graph(axes: int) -> bytes:
    """`y = x` for float32 of that many axes, all dynamic: what a call costs that does nothing."""
    node = _node("Identity", ("x",), "y")
    return _model(_node_field(node), axes, axes)


def multiplication_graph(matrix: npt.NDArray[np.float32]) -> bytes:
    """`y = x @ matrix` with the matrix a constant, which onnxruntime packs beforehand."""
    rows, columns = matrix.shape
    tensor = b"".join(
        [
            _integer(1, rows),
            _integer(1, columns),
            _integer(2, _FLOAT32),
            _content(8, b"w"),
            _content(9, np.ascontiguousarray(matrix, "<f4").tobytes()),
        ]
    )
    node = _node("MatMul", ("x", "w"), "y")
    return _model(_node_field(node) + _content(5, tensor), 2, 2)


def _model(content: bytes, axes_in: int, axes_out: int) -> bytes:
    ends = _content(11, _value("x", axes_in)) + _content(12, _value("y", axes_out))
    graph = content + _content(2, b"yardstick") + ends
    opset = _content(1, b"") + _integer(2, _OPSET)
    return _integer(1, _IR_VERSION) + _content(7, graph) + _content(8, opset)


def _node(op_type: str, inputs: tuple[str, ...], output: str) -> bytes:
    named = b"".join(_content(1, name.encode()) for name in inputs)
    return named + _content(2, output.encode()) + _content(4, op_type.encode())


def _node_field(node: bytes) -> bytes:
    return _content(1, node)


def _value(name: str, axes: int) -> bytes:
    dims = b"".join(_content(1, _content(2, f"{name}_{i}".encode())) for i in range(axes))
    tensor = _integer(1, _FLOAT32) + _content(2, dims)
    return _content(1, name.encode()) + _content(2, _content(1, tensor))


def _integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def _content(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value
