"""Arrays of a user's file in the shapes that a model takes and gives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lstm_export.errors import InputError
from lstm_export.importing.description import Input
from lstm_export.importing.expect.expected import Values
from lstm_export.importing.ops.op import Axes, shown


def fitted(each: Input, array: Values, where: str) -> tuple[Values, str | None]:
    """`array` as `each` has it, and a note where it was reshaped or converted.

    One sequence may come without its batch, one feature without its axis. Raises InputError.
    """
    found = _in_shape(each.axes, array)
    if found is None:
        hint = _turned(each, array)
        raise InputError(
            f"{where}: {each.name}: expected {shown(each.axes)}, got {array.shape}{hint}"
        )
    values, notes = found, []
    if values.shape != array.shape:
        notes.append(f"{array.shape} was read as {values.shape}")
    if each.kind in ("ids", "lengths") and values.dtype.kind == "f":
        if not (values == np.floor(values)).all():
            raise InputError(
                f"{where}: {each.name}: expected whole numbers ({each.kind}), got {values.dtype}"
            )
        notes.append(f"{values.dtype} was read as whole numbers")
        values = values.astype(np.int64)
    if each.kind in ("ids", "lengths") and values.min() < 0:
        raise InputError(
            f"{where}: {each.name}: expected {each.kind} of at least 0, got {values.min()}"
        )
    return values, f"{each.name}: {' and '.join(notes)}" if notes else None


def sizes(inputs: Mapping[str, tuple[Axes, Values]], where: str) -> dict[str, int]:
    """The size of every named axis; raises InputError where two inputs have different ones."""
    known: dict[str, tuple[int, str]] = {}
    for name, (axes, array) in inputs.items():
        for axis, size in zip(axes, array.shape, strict=True):
            if not isinstance(axis, str):
                continue
            before = known.setdefault(axis, (size, name))
            if before[0] != size:
                raise InputError(
                    f"{where}: the {axis} of {before[1]} is {before[0]}, of {name} {size}: "
                    "expected them to be equal"
                )
    return {axis: size for axis, (size, _) in known.items()}


def reshapes(shape: tuple[int, ...], array_shape: tuple[int, ...]) -> bool:
    """Whether an array of `array_shape` is one of `shape` but for axes of size 1."""
    return [n for n in shape if n != 1] == [n for n in array_shape if n != 1]


def _in_shape(axes: Axes, array: Values) -> Values | None:
    candidates = [array]
    batch = axes.index("batch") if "batch" in axes else None
    if array.ndim < len(axes):
        one = [] if batch is None else [np.expand_dims(array, min(batch, array.ndim))]
        feature = [np.expand_dims(array, array.ndim)]
        candidates += one + feature
        candidates += [np.expand_dims(each, min(batch or 0, each.ndim)) for each in feature]
        if len(axes) == 3 and axes[1] == "batch" and isinstance(axes[0], int):
            candidates.append(np.expand_dims(array, 0))  # a state without its one layer
    elif array.ndim > len(axes):
        candidates += [
            array.squeeze(i) for i in range(array.ndim - 1, -1, -1) if array.shape[i] == 1
        ]
    for each in candidates:
        if len(axes) == each.ndim and all(
            isinstance(axis, str) or axis == size
            for axis, size in zip(axes, each.shape, strict=True)
        ):
            return each
    return None


def _turned(each: Input, array: Values) -> str:
    if each.kind != "floats":
        return ""
    width = each.axes[-1]
    places = [i for i, size in enumerate(array.shape[:-1]) if size == width]
    if places and array.ndim == len(each.axes):
        return f": its axis {places[-1]} has the {width} features, move it to the end"
    if isinstance(width, int) and array.ndim and array.shape[-1] == width + 1:
        return f": one column too many; was an index written beside the {width} features?"
    return ""
