"""NumPy's arrays, scalars and dtypes in pickles, made from their bytes by us.

The forms are those that `ndarray.__reduce_ex__`, `dtype.__reduce__` and `generic.__reduce__`
document by what they give, under the module names of NumPy 1 and 2.
"""

from __future__ import annotations

import math
from typing import TypeGuard

import numpy as np

from lstm_export.importing.pickles.machine import Machine, Rebuild, Settable
from lstm_export.importing.pickles.values import Global
from lstm_export.importing.raw import Array

_CODES = {
    *("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"),
    *("f2", "f4", "f8", "c8", "c16"),
}
_MAX_RANK = 32


class PickledDtype(Settable):
    """A dtype; `order` is "<" or ">", `known` whether it is one of plain numbers."""

    def __init__(self, code: str, order: str) -> None:
        self.code, self.order, self.known = code, order, code in _CODES

    def set_state(self, machine: Machine, state: object) -> None:
        """Takes the byte order. States of other kinds (sub-arrays, fields) make it unknown."""
        match state:
            case (int(), "<" | ">" | "|" | "=" as order, None, None, None, *_):
                self.order = ">" if order == ">" else "<"
            case _:
                self.known = False

    @property
    def dtype(self) -> np.dtype[np.generic] | None:
        """NumPy's dtype; None if it is none of plain numbers."""
        return np.dtype(self.order + self.code) if self.known else None


class PickledArray(Settable):
    """An array, once its state is there; else `problem` says why there is none.

    `plain` is whether it was meant to be one of numbers.
    """

    def __init__(self) -> None:
        self.array: Array | None = None
        self.problem = "an array without contents"
        self.plain = True

    def set_state(self, machine: Machine, state: object) -> None:
        """Takes (version, shape, dtype, is in Fortran's order, bytes)."""
        match state:
            case (int(), shape, dtype, bool() | int() as fortran, contents):
                self.fill(machine, contents, dtype, shape, "F" if fortran else "C")
            case _:
                self.problem = "an array in an unknown form"

    def fill(
        self, machine: Machine, contents: object, dtype: object, shape: object, order: str
    ) -> None:
        """Makes the array from its bytes, which are not copied."""
        if isinstance(contents, str):  # Python 2's
            contents = machine.encode_latin1(contents)
        numbers = dtype.dtype if isinstance(dtype, PickledDtype) else None
        if numbers is None or not isinstance(contents, bytes):
            self.problem, self.plain = "an array of other things than plain numbers", False
        elif not _is_shape(shape) or len(contents) != numbers.itemsize * math.prod(shape):
            sizes = shape if _is_shape(shape) else "an unknown shape"
            self.problem = f"an array of {len(contents)} bytes that declares {numbers} {sizes}"
        else:
            flat = np.frombuffer(contents, numbers) if contents else np.empty(0, numbers)
            self.array = flat.reshape(shape, order="F" if order == "F" else "C")


def _is_shape(value: object) -> TypeGuard[tuple[int, ...]]:
    return (
        isinstance(value, tuple)
        and len(value) <= _MAX_RANK
        and all(type(size) is int and 0 <= size < 1 << 40 for size in value)
        and math.prod(size for size in value if size) < 1 << 40
    )


def _dtype(machine: Machine, arguments: tuple[object, ...]) -> object:
    match arguments:
        case (str() as text, *rest) if len(rest) <= 2:
            return PickledDtype(text.lstrip("<>=|"), ">" if text[:1] == ">" else "<")
        case _:
            return NotImplemented


def _reconstruct(machine: Machine, arguments: tuple[object, ...]) -> object:
    match arguments:
        case (Global("numpy", "ndarray"), tuple(), bytes() | str()):
            return PickledArray()
        case _:
            return NotImplemented


def _from_buffer(machine: Machine, arguments: tuple[object, ...]) -> object:
    match arguments:
        case (bytes() as contents, dtype, shape, "C" | "F" as order):
            made = PickledArray()
            made.fill(machine, contents, dtype, shape, order)
            return made
        case (bytes() as contents, dtype, shape, "K", tuple() as axes):
            made = PickledArray()
            made.fill(machine, contents, dtype, shape, "C")
            if made.array is not None and _is_shape(axes):
                if sorted(axes) != list(range(made.array.ndim)):
                    return NotImplemented
                made.array = made.array.transpose(axes)
            return made
        case _:
            return NotImplemented


def _scalar(machine: Machine, arguments: tuple[object, ...]) -> object:
    match arguments:
        case (PickledDtype() as dtype, bytes() | str() as contents):
            made = PickledArray()
            made.fill(machine, contents, dtype, (), "C")
            return NotImplemented if made.array is None else made.array.item()
        case _:
            return NotImplemented


NUMPY: dict[Global, Rebuild] = {
    Global("numpy", "dtype"): _dtype,
    **{
        Global(f"numpy.{core}.{module}", name): rebuild
        for core in ("core", "_core")
        for module, name, rebuild in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}
