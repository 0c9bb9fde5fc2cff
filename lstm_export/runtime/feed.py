"""The boundary of the runtime: what a caller hands over becomes an array the graph takes, or one
clear InputError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from lstm_export.errors import InputError, OptionError

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Bools, Float32

OnNonfinite = Literal["raise", "pass"]

_FLOAT32 = np.dtype(np.float32)
_SMALL = 1000


class Axes:
    """How to name a place in (…, steps, features): `first_step` is what the steps count from."""

    __slots__ = ("columns", "first_step")

    def __init__(self, columns: tuple[str, ...], first_step: int = 0) -> None:
        self.columns, self.first_step = columns, first_step


def checked_policy(on_nonfinite: str) -> OnNonfinite:
    """`on_nonfinite` if it is one of the two. Raises OptionError."""
    if on_nonfinite == "raise":
        return "raise"
    if on_nonfinite == "pass":
        return "pass"
    raise OptionError(f'on_nonfinite must be "raise" or "pass", got {on_nonfinite!r}')


def as_array(value: object, name: str) -> Array:
    """`value` as an array of one dtype, not copied if it is one. Raises InputError."""
    if type(value) is np.ndarray:
        return value
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = "its rows differ in length" if "inhomogeneous" in str(error) else str(error)
        raise InputError(f"{name}: expected an array of numbers: {reason}") from None
    if np.any(getattr(value, "mask", False)) and isinstance(value, np.ndarray):
        raise InputError(f"{name}: expected plain numbers, got an array with masked values")
    return array


def as_float32(array: Array, name: str, axes: Axes | None = None) -> Float32:
    """`array` as float32 in C order: float64 and integers are cast, nothing else is.

    Raises InputError for another dtype, or where a finite float64 is too large for float32.
    """
    dtype = array.dtype
    if dtype == _FLOAT32:
        return array if array.flags.c_contiguous else array.copy()
    if dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize in (4, 8)):
        with np.errstate(over="ignore"):
            # Not np.ascontiguousarray: it would make a scalar rank 1.
            cast: Float32 = array.astype(np.float32, order="C")
        if dtype.kind == "f" and not all_finite(cast):
            overflowed = np.isinf(cast) & np.isfinite(array)
            if overflowed.any():
                place = first_place(overflowed, axes)
                largest = array[overflowed].flat[0]
                raise InputError(f"{name}: {largest:g} at {place} is too large for float32")
        return cast
    raise InputError(f"{name}: expected float32, float64 or integer numbers, got {dtype}")


def require_finite(array: Array, name: str, axes: Axes | None = None) -> None:
    """Raises InputError naming the first NaN or infinity in `array` and their number."""
    if all_finite(array):
        return
    bad = ~np.isfinite(array)
    count = int(bad.sum())
    others = f" ({count} of {array.size} values are not finite)" if count > 1 else ""
    raise InputError(
        f"{name}: {array[bad].flat[0]} at {first_place(bad, axes)}{others}: "
        'fill the gap first, or load the model with on_nonfinite="pass"'
    )


def all_finite(array: Array) -> bool:
    """Whether every value of `array` is finite."""
    finite = np.isfinite(array)
    # For a single step the check must not cost as much as the model: .all() takes three times as
    # long as looking for a zero byte.
    return b"\0" not in finite.tobytes() if array.size <= _SMALL else bool(finite.all())


def first_place(where: Bools, axes: Axes | None) -> str:
    """The first True of `where` in words: row, step and feature where `axes` names them."""
    index = [int(i) for i in np.unravel_index(int(np.argmax(where)), where.shape)]
    if axes is None:
        return f"[{', '.join(map(str, index))}]"
    *row, step, feature = index
    words = [f"row {i}" for i in row]
    words += [f"step {axes.first_step + step}", f"feature {axes.columns[feature]!r}"]
    return ", ".join(words)
