"""One array of a user's file, and what its digits cannot tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_export.errors import InputError
from lstm_export.importing.expect.expected import Float, Values

_ROUNDED = {"float16": np.float16, "float32": np.float32}


@dataclass(frozen=True, slots=True)
class Stored:
    """Numbers as they are in the file; `rounding` is half of the last digit, place by place."""

    values: Values
    rounding: Float
    notes: tuple[str, ...] = ()


def of_dtype(values: Values, dtype: str, where: str) -> Stored:
    """An array that was stored as `dtype`, float16 widened already.

    Raises InputError if it holds no numbers, none at all, or one that is not finite.
    """
    if values.dtype.kind == "b":
        values = values.astype(np.int64)
    if values.dtype.kind not in "fiu":
        raise InputError(f"{where}: expected real numbers, got {dtype}")
    if values.size == 0:
        raise InputError(f"{where}: expected numbers, its shape is {values.shape}: it is empty")
    check_finite(values, where)
    rounding = np.zeros(values.shape)
    if dtype in _ROUNDED:
        # The widened values are in the range of the narrow type: nothing overflows here.
        rounding = np.abs(np.spacing(values.astype(_ROUNDED[dtype]))).astype(np.float64) / 2
    return Stored(values, rounding)


def check_finite(values: Values, where: str) -> None:
    """Raises InputError with the place of the first NaN or infinite value."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise InputError(
            f"{where}: {values[place]} at {list(place)}: expected finite numbers, which can be "
            "compared; leave such sequences out"
        )
