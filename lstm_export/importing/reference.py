"""A description in float64 and NumPy, from the raw tensors as they lie in their file.

Nothing of the torch side is used here, so a mistake in reordering weights shows as a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.errors import InputError
from lstm_export.importing.description import Description, Input
from lstm_export.importing.ops.op import shown
from lstm_export.importing.raw import Array
from lstm_export.importing.shapes import op_of, shapes, tensors_of


def run(
    description: Description, inputs: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[np.float64]]:
    """The outputs by name for `inputs` by name.

    Raises InputError for inputs of a wrong name, shape or kind, and CheckpointError if the
    description contradicts itself.
    """
    shapes(description)
    wanted = [each.name for each in description.inputs]
    if sorted(inputs) != sorted(wanted):
        raise InputError(f"expected the inputs {', '.join(wanted)}; got {', '.join(inputs)}")
    values: dict[str, Array] = {
        each.name: _checked(each, np.asarray(inputs[each.name])) for each in description.inputs
    }
    for step in description.steps:
        given = [values[name] for name in step.inputs]
        found = op_of(step).oracle(step, tensors_of(step, description.tensors), given)
        values.update(zip(step.outputs, found, strict=False))
    return {name: np.asarray(values[name], dtype=np.float64) for name in description.outputs}


def _checked(declared: Input, array: Array) -> Array:
    fits = len(declared.axes) == array.ndim and all(
        isinstance(axis, str) or axis == size
        for axis, size in zip(declared.axes, array.shape, strict=True)
    )
    if not fits or 0 in array.shape:
        raise InputError(
            f"{declared.name}: expected {shown(declared.axes)}, none of them 0, got {array.shape}"
        )
    integers = declared.kind in ("ids", "lengths")
    if array.dtype.kind not in ("iu" if integers else "fiu"):
        wanted = "integers" if integers else "numbers"
        raise InputError(f"{declared.name}: expected {wanted}, got {array.dtype}")
    return array if integers else np.asarray(array, dtype=np.float64)
