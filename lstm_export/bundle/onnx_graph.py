"""GraphProto: the nodes, constants, inputs and outputs of an ONNX graph, read with NumPy alone.

Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lstm_export.bundle import wire
from lstm_export.bundle.onnx_tensor import DTYPES, OnnxTensor, read_tensor
from lstm_export.contract import TensorSpec

UNKNOWN_AXIS = "?"
"""An axis without a name or a size."""
UNKNOWN_RANK: tuple[str | int, ...] = ("...",)
"""The axes of a tensor whose rank the file does not say."""
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class OnnxNode:
    """One operator call. Attributes are int, float, str, OnnxTensor, OnnxGraph or tuples of them;
    a kind that is none of these (a type, a sparse tensor) is None."""

    op_type: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """A graph; `inputs` are those that a caller feeds, without initializers listed there too."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    nodes: tuple[OnnxNode, ...]
    initializers: Mapping[str, OnnxTensor]

    def subgraphs(self) -> Iterator[OnnxGraph]:
        """The graphs inside nodes (If, Loop, Scan), at every depth."""
        for node in self.nodes:
            for value in node.attributes.values():
                for item in value if isinstance(value, tuple) else (value,):
                    if isinstance(item, OnnxGraph):
                        yield item
                        yield from item.subgraphs()

    def tensors(self) -> Iterator[OnnxTensor]:
        """Initializers and tensors in attributes, at every depth."""
        for graph in (self, *self.subgraphs()):
            yield from graph.initializers.values()
            for node in graph.nodes:
                for value in node.attributes.values():
                    items = value if isinstance(value, tuple) else (value,)
                    yield from (item for item in items if isinstance(item, OnnxTensor))


def read_graph(message: memoryview, depth: int = 0) -> OnnxGraph:
    """A GraphProto, `depth` graphs deep. Raises WireError."""
    if depth > _DEEPEST:
        raise wire.WireError(f"graphs lie within graphs more than {_DEEPEST} deep")
    name = ""
    nodes: list[OnnxNode] = []
    inputs: list[TensorSpec] = []
    outputs: list[TensorSpec] = []
    initializers: dict[str, OnnxTensor] = {}
    for number, value in wire.fields(message):
        if number == 1:
            nodes.append(_node(wire.content(value), depth))
        elif number == 2:
            name = wire.text(value)
        elif number == 5:
            tensor = read_tensor(wire.content(value))
            if not tensor.name or tensor.name in initializers:
                raise wire.WireError(f"an initializer without a name of its own: {tensor.name!r}")
            initializers[tensor.name] = tensor
        elif number in (11, 12):
            (inputs if number == 11 else outputs).append(_value_info(wire.content(value)))
    fed = tuple(spec for spec in inputs if spec.name not in initializers)
    return OnnxGraph(name, fed, tuple(outputs), tuple(nodes), initializers)


def read_function(message: memoryview) -> OnnxGraph:
    """A FunctionProto, the body of an operator that the file defines itself. Raises WireError."""
    texts = {1: "", 10: ""}
    nodes: list[OnnxNode] = []
    for number, value in wire.fields(message):
        if number in texts:
            texts[number] = wire.text(value)
        elif number == 7:
            nodes.append(_node(wire.content(value), 0))
    return OnnxGraph(f"{texts[10]}::{texts[1]}", (), (), tuple(nodes), {})


def _node(message: memoryview, depth: int) -> OnnxNode:
    inputs: list[str] = []
    outputs: list[str] = []
    texts = {3: "", 4: "", 7: ""}
    attributes: dict[str, Any] = {}
    for number, value in wire.fields(message):
        if number in (1, 2):
            (inputs if number == 1 else outputs).append(wire.text(value))
        elif number in texts:
            texts[number] = wire.text(value)
        elif number == 5:
            key, attribute = _attribute(wire.content(value), depth)
            attributes[key] = attribute
    if not texts[4]:
        raise wire.WireError("it has no op_type")
    return OnnxNode(texts[4], texts[7], texts[3], tuple(inputs), tuple(outputs), attributes)


_SINGLE: dict[int, Callable[[int | memoryview], Any]] = {
    2: wire.float32,
    3: wire.integer,
    4: lambda value: str(wire.content(value), "utf-8", "backslashreplace"),
    5: lambda value: read_tensor(wire.content(value)),
}
_REPEATED: dict[int, Callable[[int | memoryview], list[Any]]] = {
    7: lambda value: wire.floats(value, "<f4").tolist(),
    8: lambda value: wire.integers(value).tolist(),
    9: lambda value: [_SINGLE[4](value)],
    10: lambda value: [_SINGLE[5](value)],
}
_FIELD_OF_TYPE = {1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 9, 9: 10, 10: 11}
_DEFAULT = {2: 0.0, 3: 0, 4: ""}


def _attribute(message: memoryview, depth: int) -> tuple[str, Any]:
    name, kind = "", 0
    single: dict[int, Any] = {}
    repeated: dict[int, list[Any]] = {}
    for number, value in wire.fields(message):
        if number == 1:
            name = wire.text(value)
        elif number == 20:
            kind = wire.integer(value)
        elif number in _SINGLE:
            single[number] = _SINGLE[number](value)
        elif number in _REPEATED:
            repeated.setdefault(number, []).extend(_REPEATED[number](value))
        elif number == 6:
            single[6] = read_graph(wire.content(value), depth + 1)
        elif number == 11:
            repeated.setdefault(11, []).append(read_graph(wire.content(value), depth + 1))
    if not name:
        raise wire.WireError("an attribute without a name")
    # Files of the first IR versions leave the type out: then the field that came tells.
    field = _FIELD_OF_TYPE.get(kind) or next(iter(single), None) or next(iter(repeated), 0)
    if field in (7, 8, 9, 10, 11):
        return name, tuple(repeated.get(field, ()))
    return name, single.get(field, _DEFAULT.get(field))


def _value_info(message: memoryview) -> TensorSpec:
    name, dtype, axes = "", "unknown", UNKNOWN_RANK
    for number, value in wire.fields(message):
        if number == 1:
            name = wire.text(value)
        elif number == 2:
            dtype, axes = _type(wire.content(value))
    if not name:
        raise wire.WireError("a graph input or output without a name")
    return TensorSpec(name, dtype, axes)


_OTHER_TYPES = {4: "sequence", 5: "map", 8: "sparse tensor", 9: "optional"}


def _type(message: memoryview) -> tuple[str, tuple[str | int, ...]]:
    dtype, axes = "unknown", UNKNOWN_RANK
    for number, value in wire.fields(message):
        if number in _OTHER_TYPES:
            dtype = _OTHER_TYPES[number]
        elif number == 1:
            for inner, part in wire.fields(wire.content(value)):
                if inner == 1:
                    dtype = DTYPES.get(wire.integer(part), "unknown")
                elif inner == 2:
                    shape = wire.fields(wire.content(part))
                    axes = tuple(_axis(wire.content(dim)) for field, dim in shape if field == 1)
    return dtype, axes


def _axis(message: memoryview) -> str | int:
    axis: str | int = UNKNOWN_AXIS
    for number, value in wire.fields(message):
        if number == 1:
            axis = wire.integer(value)
        elif number == 2:
            axis = wire.text(value) or UNKNOWN_AXIS
    return axis
