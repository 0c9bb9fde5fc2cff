"""One array in NumPy's .npy format, with no allocation on the word of its header.

Source: numpy.org/doc/stable/reference/generated/numpy.lib.format.html (versions 1.0 to 3.0).
"""

from __future__ import annotations

import ast
import math
import re
from typing import Any

import numpy as np

from lstm_export.errors import CheckpointError
from lstm_export.importing.pickles.values import shown
from lstm_export.importing.raw import Array

MAGIC = b"\x93NUMPY"
_MOST_HEADER = 10_000
_NUMBERS = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16)")
_TEXT = re.compile(r"[<>|=]?U\d{1,6}")
_KEYS = {"descr", "fortran_order", "shape"}


def npy_array(body: bytes, where: str) -> Array:
    """The array in `body`, in its stored dtype, read-only.

    Raises CheckpointError, naming `where`, for anything but numbers and words (arrays of objects
    are pickles), and where the header and the length of `body` disagree.
    """
    if body[:6] != MAGIC or len(body) < 12 or body[6] not in (1, 2, 3):
        raise CheckpointError(f"{where}: expected an array in .npy format, found {body[:8]!r}")
    wide = body[6] > 1
    start = 12 if wide else 10
    length = int.from_bytes(body[8:start], "little")
    if length > min(_MOST_HEADER, len(body) - start):
        raise CheckpointError(f"{where}: its header of {length} bytes is cut off or out of bounds")
    descr, shape, fortran = _header(body[start : start + length], where)
    if not (_NUMBERS.fullmatch(descr) or _TEXT.fullmatch(descr)):
        what = (
            "Python objects, which only unpickling reads"
            if "O" in descr
            else f"dtype {shown(descr, 40)}"
        )
        raise CheckpointError(
            f"{where}: expected an array of numbers, found {what}: save it as float32 "
            "(array.astype('float32'))"
        )
    dtype, data = np.dtype(descr), body[start + length :]
    if math.prod(shape) * dtype.itemsize != len(data):
        raise CheckpointError(
            f"{where}: {dtype} of shape {shape} takes {math.prod(shape) * dtype.itemsize} bytes, "
            f"{len(data)} are there"
        )
    if dtype.itemsize == 0:
        return np.zeros(0, dtype)
    try:
        array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    except ValueError as error:
        raise CheckpointError(f"{where}: shape {str(shape)[:60]} cannot be ({error})") from None
    return array


def _header(text: bytes, where: str) -> tuple[str, tuple[int, ...], bool]:
    try:
        header: Any = ast.literal_eval(text.decode("utf-8").strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.keys() != _KEYS:
        raise CheckpointError(f"{where}: its header is damaged: {text[:60]!r}")
    descr, shape, fortran = header["descr"], header["shape"], header["fortran_order"]
    if not (
        isinstance(shape, tuple)
        and all(type(n) is int and 0 <= n < 1 << 48 for n in shape)
        and len(shape) <= 32
        and isinstance(fortran, bool)
    ):
        raise CheckpointError(f"{where}: expected a shape, found {str(shape)[:60]}")
    return str(descr), shape, fortran
