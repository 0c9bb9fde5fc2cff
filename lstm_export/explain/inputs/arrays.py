"""The inputs of a graph out of a file: all of them by name, or the one with the sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.contract import BATCH, SEQUENCE_LENGTH, TensorSpec
from lstm_export.data.load import load_table
from lstm_export.errors import DataError, InputError

Arrays = dict[str, npt.NDArray[Any]]


def sequence_input(specs: tuple[TensorSpec, ...], where: str) -> TensorSpec:
    """The input with the sequences. Raises InputError if no input has an axis of time."""
    for spec in specs:
        if SEQUENCE_LENGTH in spec.axes:
            return spec
    ranked = [spec for spec in specs if spec.dtype == "float32" and len(spec.axes) == 3]
    if len(ranked) == 1:  # a foreign file, whose axes have names of its own, or fixed sizes
        return ranked[0]
    raise InputError(f"{where}: which of its inputs has the sequences cannot be told by its axes")


def read_arrays(
    data: str, specs: tuple[TensorSpec, ...], main: TensorSpec
) -> tuple[Arrays, tuple[str, ...]]:
    """Every input by name, and what the features of `main` are called, where they have names.

    States that are not given are zeros, lengths are full. Raises DataError or InputError.
    """
    features: tuple[str, ...] = ()
    if Path(data).suffix.lower() in (".npz", ".npy"):
        given = _stored(data, main)
    else:
        given, features = _table(data, main)
    unknown = sorted(set(given) - {spec.name for spec in specs})
    if unknown or main.name not in given:
        raise DataError(
            f"{data}: expected the inputs {', '.join(spec.name for spec in specs)}, "
            f"got {', '.join(given)}"
        )
    x = given[main.name]
    if x.ndim == len(main.axes) - 1 and BATCH in main.axes:
        given = {main.name: np.expand_dims(x, main.axes.index(BATCH))} | {
            name: value for name, value in given.items() if name != main.name
        }
    return {spec.name: _fitting(given, spec, main) for spec in specs}, features


def _stored(data: str, main: TensorSpec) -> Arrays:
    try:
        found = np.load(data, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return {main.name: found}
        with found:
            return dict(found)
    except OSError as error:
        raise DataError(f"cannot read {data}: {error.strerror or error}") from None
    except Exception as error:  # the file is only read here, and may be damaged in many ways
        raise DataError(f"{data} is not a readable {Path(data).suffix} file: {error}") from None


def _table(data: str, main: TensorSpec) -> tuple[Arrays, tuple[str, ...]]:
    table = load_table(data)
    width = main.axes[-1]
    numbers = {name: column.numbers() for name, column in table.columns.items()}
    numeric = {
        name: found.values
        for name, found in numbers.items()
        if not len(found.unreadable) and np.isfinite(found.values).all()
    }
    if len(main.axes) != 3 or not isinstance(width, int):
        raise DataError(f"{data}: a table is for an input of numbers, not for {main}")
    if len(numeric) != width:
        raise DataError(
            f"{data}: expected {width} columns of numbers for {main}, got {len(numeric)} "
            f"({', '.join(numeric) or 'none'})"
        )
    return {main.name: np.stack(list(numeric.values()), axis=1)}, tuple(numeric)


def _fitting(given: Arrays, spec: TensorSpec, main: TensorSpec) -> npt.NDArray[Any]:
    """The array for one input, given or not."""
    x = given[main.name]
    sizes = dict(zip(main.axes, x.shape, strict=False))
    if spec.name not in given:
        shape = [sizes.get(axis, axis) for axis in spec.axes]
        if not all(isinstance(size, int) for size in shape):
            raise DataError(f"the input {spec} is missing: give an .npz file with every input")
        if is_lengths(spec):
            length = sizes[SEQUENCE_LENGTH]
            return np.full([int(size) for size in shape], length, spec.dtype)
        return np.zeros([int(size) for size in shape], spec.dtype)
    array = given[spec.name]
    if array.ndim != len(spec.axes) or any(
        isinstance(axis, int) and axis != size
        for axis, size in zip(spec.axes, array.shape, strict=False)
    ):
        raise InputError(f"{spec.name}: expected {spec}, got shape {array.shape}")
    if 0 in array.shape:
        raise InputError(f"{spec.name} is empty: shape {array.shape}")
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise InputError(f"{spec.name}: expected finite numbers of {spec.dtype}")
    return array.astype(spec.dtype)


def is_lengths(spec: TensorSpec) -> bool:
    """Whether an input looks like the lengths of a batch's rows."""
    return spec.dtype in ("int32", "int64") and spec.axes == (BATCH,)
