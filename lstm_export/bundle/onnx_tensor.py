"""TensorProto: the weights and constants of an ONNX file as NumPy arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.bundle import wire

DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8e4m3fn",
    18: "float8e4m3fnuz",
    19: "float8e5m2",
    20: "float8e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4e2m1",
    24: "float8e8m0",
    25: "uint2",
    26: "int2",
}
"""ONNX data types, by their number, under NumPy's names where NumPy has them."""

# Spelt out, because what np.dtype() knows depends on which packages have been imported.
_NUMPY_TYPES = {DTYPES[number] for number in (*range(1, 8), *range(9, 16))}
# The typed field that holds a dtype when raw_data does not; the rest are in int32_data (5).
_TYPED_FIELD = {
    "float32": 4,
    "complex64": 4,
    "int64": 7,
    "float64": 10,
    "complex128": 10,
    "uint32": 11,
    "uint64": 11,
}
_FLOAT_FIELDS = {4: "<f4", 10: "<f8"}


@dataclass(frozen=True, slots=True)
class OnnxTensor:
    """A named constant.

    `data` has the shape `dims` and is a read-only view of the file's bytes where it can be; it is
    None for text, for types that NumPy lacks, and where the data lies in another file: `location`,
    as it is written, relative to the model's folder. There it ends before the byte `end`.
    """

    name: str
    dtype: str
    dims: tuple[int, ...]
    data: npt.NDArray[Any] | None
    location: str | None = None
    end: int = 0

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.dims)


def read_tensor(message: memoryview) -> OnnxTensor:
    """A TensorProto. Raises WireError if data and dims disagree."""
    name, dtype = "", "unknown"
    dims: list[int] = []
    raw: memoryview | None = None
    typed: dict[int, list[npt.NDArray[Any]]] = {}
    external, place = False, dict[str, str]()
    for number, value in wire.fields(message):
        if number == 1:
            dims.extend(wire.integers(value).tolist())
        elif number == 2:
            dtype = DTYPES.get(wire.integer(value), "unknown")
        elif number == 8:
            name = wire.text(value)
        elif number == 9:
            raw = wire.content(value)
        elif number in _FLOAT_FIELDS:
            typed.setdefault(number, []).append(wire.floats(value, _FLOAT_FIELDS[number]))
        elif number in (5, 7, 11):
            typed.setdefault(number, []).append(wire.integers(value))
        elif number == 13:
            place |= _entry(wire.content(value))
        elif number == 14:
            external = wire.integer(value) == 1
    if any(dim < 0 for dim in dims):
        raise wire.WireError(f"tensor {name!r} has a negative size: {tuple(dims)}")
    try:
        if external:
            end = _end(dtype, tuple(dims), place)
            return OnnxTensor(name, dtype, tuple(dims), None, place.get("location", ""), end)
        data = _data(dtype, tuple(dims), raw, typed)
    except ValueError as error:
        raise wire.WireError(f"tensor {name!r}: {error}") from None
    return OnnxTensor(name, dtype, tuple(dims), data)


def _data(
    dtype: str,
    dims: tuple[int, ...],
    raw: memoryview | None,
    typed: dict[int, list[npt.NDArray[Any]]],
) -> npt.NDArray[Any] | None:
    if dtype not in _NUMPY_TYPES:
        return None
    kind = np.dtype(dtype).newbyteorder("<")
    expected = math.prod(dims)
    if raw is not None:
        if len(raw) != expected * kind.itemsize:
            raise ValueError(f"{dims} of {dtype} in {len(raw)} bytes")
        return np.frombuffer(raw, kind).reshape(dims)
    parts = typed.get(_TYPED_FIELD.get(dtype, 5), [])
    values = np.concatenate(parts) if parts else np.empty(0, np.int64)
    if kind.kind == "c":
        values = values.view(kind) if len(values) % 2 == 0 and parts else values[:0]
    elif dtype == "float16":
        values = values.astype(np.uint16).view(np.float16)
    if len(values) != expected:
        raise ValueError(f"{dims} with {len(values)} values")
    result = values.astype(kind, copy=False).reshape(dims)
    result.flags.writeable = False
    return result


def _entry(message: memoryview) -> dict[str, str]:
    entry = {number: wire.text(value) for number, value in wire.fields(message) if number in (1, 2)}
    return {entry.get(1, ""): entry.get(2, "")}


def _end(dtype: str, dims: tuple[int, ...], place: dict[str, str]) -> int:
    expected = math.prod(dims) * np.dtype(dtype).itemsize if dtype in _NUMPY_TYPES else None
    for key in ("offset", "length"):
        if not place.get(key, "0").isdecimal():
            raise ValueError(f"its external data has the {key} {place[key]!r}")
    length = int(place["length"]) if "length" in place else expected or 0
    if expected not in (None, length):
        raise ValueError(f"{dims} of {dtype} in {length} bytes of external data")
    return int(place.get("offset", "0")) + length
