"""The protobuf wire format: how the bytes of a message fall into fields.

Only the shape of a message: what a field means is its reader's business. After
https://protobuf.dev/programming-guides/encoding/. Time and memory are linear in the input, and
nothing is allocated on the word of a length field.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types; 3 and 4 are groups, which no ONNX file holds."""

_VARINT_BYTES = 10


class WireError(ValueError):
    """Bytes that are no protobuf message."""


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of `message` in their order, as (number, value).

    A varint comes as an unsigned integer, everything else as a view of its bytes. Raises WireError.
    """
    position, end = 0, len(message)
    while position < end:
        key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError(f"a field numbered 0 before byte {position}")
        if kind == VARINT:
            integer, position = _varint(message, position)
            yield number, integer
            continue
        if kind == BYTES:
            length, position = _varint(message, position)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise WireError(f"field {number} has the wire type {kind}, which is not used")
        if length > end - position:
            raise WireError(f"field {number} wants {length} bytes, {end - position} are left")
        yield number, message[position : position + length]
        position += length


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(message[position : position + _VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position + count + 1
    raise WireError(f"an integer that does not end after byte {position}")


def varint(value: int) -> bytes:
    """An integer of 0 or more as it is written: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def integer(value: int | memoryview) -> int:
    """A varint field as int64."""
    if not isinstance(value, int):
        raise WireError("bytes where an integer belongs")
    return value - (1 << 64) if value >> 63 else value


def content(value: int | memoryview) -> memoryview:
    """The bytes of a field."""
    if isinstance(value, int):
        raise WireError("an integer where bytes belong")
    return value


def text(value: int | memoryview) -> str:
    """The bytes of a field as UTF-8."""
    try:
        return str(content(value), "utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"text that is not UTF-8: {error.reason}") from None


def float32(value: int | memoryview) -> float:
    """One fixed 32-bit field."""
    if isinstance(value, int) or len(value) != 4:
        raise WireError("something else where a float belongs")
    return float(struct.unpack("<f", value)[0])


def floats(value: int | memoryview, dtype: str) -> npt.NDArray[np.generic]:
    """One entry of a repeated float or double field, packed or not; `dtype` is <f4 or <f8."""
    body = content(value)
    if len(body) % np.dtype(dtype).itemsize:
        raise WireError(f"{len(body)} bytes are no whole number of floats")
    return np.frombuffer(body, dtype)


def integers(value: int | memoryview) -> npt.NDArray[np.int64]:
    """One entry of a repeated integer field, packed or not."""
    if isinstance(value, int):
        return np.array([integer(value)], np.int64)
    body = np.frombuffer(value, np.uint8)
    ends = np.flatnonzero(body < 0x80)
    if body.size and (not ends.size or ends[-1] != body.size - 1):
        raise WireError("a list of integers that breaks off")
    if not body.size:
        return np.empty(0, np.int64)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > _VARINT_BYTES:
        raise WireError("an integer of more than ten bytes")
    place = (np.arange(body.size) - np.repeat(starts, lengths)).astype(np.uint64)
    parts = (body & np.uint8(0x7F)).astype(np.uint64) << (place * np.uint64(7))
    return np.add.reduceat(parts, starts).view(np.int64)
