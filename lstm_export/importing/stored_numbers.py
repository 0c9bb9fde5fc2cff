"""Numbers as files store them: names of types, bytes, strides, and what NumPy holds them in.

float16 and bfloat16 become float32, which has every value of both.
"""

from __future__ import annotations

import math

import numpy as np

from lstm_export.importing.raw import Array

# Little-endian in every format read here. bfloat16 is the upper half of a float32.
_NUMPY = {
    "bool": "?",
    "uint8": "u1",
    "int8": "i1",
    "uint16": "<u2",
    "int16": "<i2",
    "uint32": "<u4",
    "int32": "<i4",
    "uint64": "<u8",
    "int64": "<i8",
    "float16": "<f2",
    "bfloat16": "<u2",
    "float32": "<f4",
    "float64": "<f8",
    "complex64": "<c8",
    "complex128": "<c16",
}
_EXPANDED = 1 << 20  # elements that a view with stride 0 may have beyond those of its storage


def is_known(dtype: str) -> bool:
    """Whether NumPy holds the type called `dtype` as torch spells it, or widens it."""
    return dtype in _NUMPY


def item_size(dtype: str) -> int:
    """Bytes of one number of the type `dtype`."""
    return np.dtype(_NUMPY[dtype]).itemsize


def decoded(body: bytes | memoryview, dtype: str) -> Array:
    """The numbers in `body`, (count,), float16 and bfloat16 as float32."""
    numbers = np.frombuffer(body, _NUMPY[dtype])
    if dtype == "bfloat16":
        return (numbers.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return widened(numbers)


def widened(numbers: Array) -> Array:
    """`numbers` in the machine's byte order, float16 as float32."""
    if numbers.dtype == np.float16 or numbers.dtype == np.dtype(">f2"):
        return numbers.astype(np.float32)
    return numbers.astype(numbers.dtype.newbyteorder("="), copy=False)


def strided(
    storage: Array, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> Array | None:
    """A copy of the view of `storage`, (count,), in torch's terms; None if it leaves the storage.

    A view can repeat numbers by a stride of 0; one that would grow out of proportion is None too.
    """
    count = math.prod(shape)
    if len(shape) != len(strides) or offset < 0 or min((*shape, *strides, 0)) < 0:
        return None
    if count == 0:
        return np.empty(shape, storage.dtype) if max((*shape, 0)) <= _EXPANDED else None
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if last >= storage.size or count > max(storage.size, _EXPANDED) or len(shape) > 32:
        return None
    view = np.lib.stride_tricks.as_strided(
        storage[offset:], shape, tuple(step * storage.itemsize for step in strides)
    )
    return view.copy()
