"""A graph as the bytes of ONNX files, its weights copied as rarely as possible.

protobuf would copy every weight three times and the checker as often again, which for 84 MB of
weights was more than half the time of an export. So the message is made without the weights, and
these are put in their place afterwards. The bytes are those that protobuf gives.

With external data the weights go to a second file, one after the other, and the first file names
their places (https://github.com/onnx/onnx/blob/main/docs/ExternalData.md).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from lstm_export.bundle.wire import varint
from lstm_export.errors import ExportError

LIMIT = 2**31 - 1
"""The most bytes that a protobuf message may have."""
DATA_SUFFIX = ".data"

_SMALLEST_WEIGHT = 64
_SMALLEST_OTHER = 1024
_PAGE = 4096
_WORTH_A_PAGE = 1 << 16

Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes, in pieces that may be views of the weights themselves."""

    pieces: tuple[Buffer, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(map(len, self.pieces))

    def joined(self) -> bytes:
        """All of it at once."""
        return b"".join(self.pieces)


def serialise(model: ir.Model, *, limit: int = LIMIT) -> bytes:
    """`model` as one file. The same model gives the same bytes on every machine.

    Raises ExportError if it is not valid ONNX or has more bytes than one file may have.
    """
    contents = model_contents(model, "model.onnx", limit=limit)
    if len(contents) > 1:
        size = sum(content.size for content in contents.values())
        raise ExportError(
            f"the graph has {size} bytes, more than the {limit} that one ONNX file may have: its "
            "weights must go to a file beside it (external_data=True)"
        )
    return contents["model.onnx"].joined()


def model_contents(
    model: ir.Model, name: str, *, external_data: bool = False, limit: int = LIMIT
) -> dict[str, Content]:
    """The files of `model`, by name: `name`, and `name` + ".data" if its weights go there.

    They do with `external_data`, and without it where one file would have more than `limit` bytes.
    What is small or may say a shape stays in the first file in any case; a model that has nothing
    else is one file.

    Raises ExportError if `model` is not valid ONNX.
    """
    weights = {
        value.name or "": _tensor(value)
        for value in model.graph.initializers.values()
        if _is_weight(_tensor(value))
    }
    message = _without_data(model, weights)
    _check(message, set(weights))
    if not external_data:
        file = _assembled(message, {key: _inside(raw) for key, raw in weights.items()})
        if file.size <= limit:
            return {name: file}
    data: list[Buffer] = []
    place = name + DATA_SUFFIX
    file = _assembled(message, {key: _beside(raw, place, data) for key, raw in weights.items()})
    return {name: file, place: Content(tuple(data))} if data else {name: file}


def _without_data(model: ir.Model, weights: Mapping[str, ir.TensorProtocol]) -> onnx.ModelProto:
    """`model` as a message in which `weights` have dimensions and no data."""
    values = [model.graph.initializers[name] for name in weights]
    try:
        for value, tensor in zip(values, weights.values(), strict=True):
            value.const_value = ir.ExternalTensor(
                "",
                0,
                tensor.nbytes,
                tensor.dtype,
                shape=ir.Shape(tensor.shape.numpy()),
                name=value.name or "",
            )
        message = ir.to_proto(model)
    finally:
        for value, tensor in zip(values, weights.values(), strict=True):
            value.const_value = tensor
    for one in message.graph.initializer:
        if one.name in weights:
            one.ClearField("external_data")
            one.ClearField("data_location")
    return message


def _tensor(value: ir.Value) -> ir.TensorProtocol:
    assert value.const_value is not None, f"{value.name} has no value"
    return value.const_value


def _is_weight(tensor: ir.TensorProtocol) -> bool:
    if tensor.dtype == ir.DataType.STRING:
        return False
    smallest = _SMALLEST_WEIGHT if tensor.dtype.is_floating_point() else _SMALLEST_OTHER
    return bool(tensor.nbytes >= smallest)


def _check(message: onnx.ModelProto, weights: Collection[str]) -> None:
    """All types and shapes, as onnx infers them; the numbers of the weights play no part."""
    checked = onnx.ModelProto()
    checked.CopyFrom(message)
    del checked.graph.initializer[:]
    for one in message.graph.initializer:
        if one.name in weights:
            info = onnx.helper.make_tensor_value_info(one.name, one.data_type, one.dims)
            checked.graph.input.append(info)
        else:
            checked.graph.initializer.append(one)
    del checked.graph.value_info[:]
    try:
        onnx.checker.check_model(checked, full_check=True)
    except Exception as error:
        raise ExportError(f"the exported graph is not valid ONNX: {error}") from error


Placement = Callable[[onnx.TensorProto], tuple[Buffer, ...]]
"""Turns a tensor without data into the bytes of one that has or names its data."""


def _inside(tensor: ir.TensorProtocol) -> Placement:
    raw = _raw(tensor)
    # raw_data is the last field that there is.
    return lambda message: (_bytes(message), *_field(9, (raw,)))


def _beside(tensor: ir.TensorProtocol, location: str, data: list[Buffer]) -> Placement:
    """Adds the data to `data`."""
    raw = _raw(tensor)
    end = sum(map(len, data))
    # Large ones start on a page, so that they can be mapped into memory.
    gap = -end % (_PAGE if len(raw) >= _WORTH_A_PAGE else _SMALLEST_WEIGHT)
    data += [bytes(gap), raw] if gap else [raw]
    entries = {"location": location, "offset": str(end + gap), "length": str(len(raw))}

    def placed(message: onnx.TensorProto) -> tuple[Buffer, ...]:
        for key, entry in entries.items():
            message.external_data.add(key=key, value=entry)
        message.data_location = onnx.TensorProto.EXTERNAL
        return (_bytes(message),)

    return placed


def _raw(tensor: ir.TensorProtocol) -> Buffer:
    """The data as ONNX has it, little-endian and C-contiguous; a view where it is so already."""
    if tensor.dtype.bitwidth < 8 or sys.byteorder != "little":
        return tensor.tobytes()
    array = np.ascontiguousarray(tensor.numpy())
    return array.reshape(-1).view(np.uint8).data


def _assembled(message: onnx.ModelProto, weights: Mapping[str, Placement]) -> Content:
    """`message` with the data of its weights."""
    initializers: list[Buffer] = []
    for one in message.graph.initializer:
        tensor = onnx.TensorProto()
        tensor.CopyFrom(one)
        placed = weights[one.name](tensor) if one.name in weights else (_bytes(tensor),)
        initializers += _field(5, placed)
    graph = (
        _part(message.graph, lambda number: number < 5),
        *initializers,
        _part(message.graph, lambda number: number > 5),
    )
    return Content(
        (
            _part(message, lambda number: number < 7),
            *_field(7, graph),
            _part(message, lambda number: number > 7),
        )
    )


def _part(message: Any, wanted: Callable[[int], bool]) -> bytes:
    """Those fields of `message` whose numbers are `wanted`; protobuf writes them in this order."""
    part = type(message)()
    part.CopyFrom(message)
    for field in message.DESCRIPTOR.fields:
        if not wanted(field.number):
            part.ClearField(field.name)
    return _bytes(part)


def _bytes(message: Any) -> bytes:
    content: bytes = message.SerializeToString(deterministic=True)
    return content


def _field(number: int, pieces: tuple[Buffer, ...]) -> tuple[Buffer, ...]:
    """A field that holds bytes or a message, in protobuf's wire format."""
    return (varint(number << 3 | 2) + varint(sum(map(len, pieces))), *pieces)
