"""A graph as the bytes of ONNX files, its weights copied as rarely as possible.

protobuf would copy every weight three times, and the checker as often again: of the export of a
model with 84 MB of weights that was more than half the time. So the message is made without the
large weights, which are then put where they belong. The bytes are those that protobuf gives.

With external data the weights go to a second file, one after the other, and the first names their
places (https://github.com/onnx/onnx/blob/main/docs/ExternalData.md).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir

from lstm_export.errors import ExportError

LIMIT = 2**31 - 1
"""The most bytes that a protobuf message may have."""
DATA_SUFFIX = ".data"

_APART = 1024
_SMALLEST_WEIGHT = 64
_PAGE = 4096
_WHOLE_PAGES = 1 << 16

Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes, in pieces that may be views of the weights themselves."""

    pieces: tuple[Buffer, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(len(piece) for piece in self.pieces)

    def joined(self) -> bytes:
        """All of it at once."""
        return b"".join(self.pieces)


def serialise(model: ir.Model, *, limit: int = LIMIT) -> bytes:
    """`model` as one file. The same model gives the same bytes on every machine.

    Raises ExportError if it is not valid ONNX or has more bytes than one file can have.
    """
    contents = model_contents(model, "model.onnx", limit=limit)
    if len(contents) > 1:
        raise ExportError(
            f"the graph has {sum(content.size for content in contents.values())} bytes and one "
            f"ONNX file can have {limit}: its weights must go to a file beside it, with "
            "external_data=True"
        )
    return contents["model.onnx"].joined()


def model_contents(
    model: ir.Model, name: str, *, external_data: bool = False, limit: int = LIMIT
) -> dict[str, Content]:
    """The files of `model` by name: `name`, and `name` + ".data" if its weights go there.

    They do with `external_data`, and without it where one file would have more than `limit` bytes.
    What shapes are computed from stays in the first file, and so does every weight of a model that
    is too small to have any worth moving.

    Raises ExportError if `model` is not valid ONNX.
    """
    with _apart(model) as large:
        message = ir.to_proto(model)
        _check(message, large)
    order = list(model.graph.initializers)
    if not external_data:
        file = _file(message, order, {one.name: _inside(one) for one in large})
        if file.size <= limit:
            return {name: file}
    location = name + DATA_SUFFIX
    data: list[Buffer] = []
    entries = {one.name: _beside(one, location, data) for one in large if _is_weight(one)}
    if not data:
        return {name: _file(message, order, {one.name: _inside(one) for one in large})}
    entries |= {one.name: _inside(one) for one in large if not _is_weight(one)}
    return {name: _file(message, order, entries), location: Content(tuple(data))}


@contextlib.contextmanager
def _apart(model: ir.Model) -> Iterator[list[ir.Value]]:
    """Within the block the large initializers of `model` are inputs instead: given, not stored."""
    graph = model.graph
    initializers = dict(graph.initializers)
    large = [value for value in initializers.values() if _bytes(value) >= _SMALLEST_WEIGHT]
    for value in large:
        del graph.initializers[value.name or ""]
    try:
        yield large
    finally:
        graph.initializers.clear()
        graph.initializers.update(initializers)
