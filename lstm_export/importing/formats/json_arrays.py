"""Nested lists of numbers as arrays, and what else a JSON value says, by dotted path."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from lstm_export.errors import CheckpointError
from lstm_export.importing.raw import Array

_LONGEST_WORDS = 64


def is_array(value: object) -> bool:
    """Whether `value` is a list of numbers, or of such lists, by its first elements."""
    while isinstance(value, list) and value:
        value = value[0]
    return isinstance(value, int | float) and not isinstance(value, bool)


def array_of(value: object, where: str) -> Array:
    """The nested list `value` as float32, or as float64 where it has more digits than that.

    A decimal counts as float32 if it is one exactly, as torch and NumPy write it, or the shortest
    text of one, as C++ does. Raises CheckpointError, naming `where`, for lists of unequal lengths
    and for elements that are no numbers.
    """
    if not isinstance(value, list):
        raise CheckpointError(
            f"{where}: expected nested lists of numbers, found {type(value).__name__}"
        )
    shape, flat = [len(value)], value
    while flat and isinstance(flat[0], list):
        width = len(flat[0])
        for row in flat:
            if not isinstance(row, list) or len(row) != width:
                got = f"{len(row)}" if isinstance(row, list) else repr(row)[:40]
                raise CheckpointError(
                    f"{where}: expected lists of equal length, found {width} and {got}"
                )
        shape.append(width)
        flat = [item for row in flat for item in row]
    for item in flat:
        if type(item) is not float and type(item) is not int:
            raise CheckpointError(f"{where}: expected numbers, found {str(item)[:40]!r}")
    try:
        exact = np.array(flat, np.float64)
    except OverflowError:
        raise CheckpointError(f"{where}: a number does not fit float64") from None
    return (_float32(exact) if _is_float32(exact) else exact).reshape(shape)


def _float32(exact: Array) -> Array:
    with np.errstate(over="ignore"):
        return exact.astype(np.float32)


def _is_float32(exact: Array) -> bool:
    short = _float32(exact)
    differ = (short.astype(np.float64) != exact) & ~np.isnan(exact)
    texts = short[differ].astype(str)
    return bool(np.array_equal(texts.astype(np.float64), exact[differ]))


def words_of(value: object, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers, words and short lists of them in `value`, by dotted path; arrays are left out."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from words_of(item, f"{prefix}.{name}" if prefix else str(name))
    elif not isinstance(value, list):
        yield prefix, value
    elif len(value) <= _LONGEST_WORDS and not any(isinstance(v, list | dict) for v in value):
        yield prefix, tuple(value)


def whole_number(
    value: dict[str, Any], name: str, where: str, least: int = 1, default: int | None = None
) -> int:
    """The integer `value[name]`, at least `least`; raises CheckpointError, naming `where`."""
    number = value.get(name, default)
    if isinstance(number, float) and math.isfinite(number) and number == int(number):
        number = int(number)
    if type(number) is not int or not least <= number < 1 << 31:
        raise CheckpointError(
            f"{where}: expected {name} as a whole number of at least {least}, found {number!r:.40}"
        )
    return number
