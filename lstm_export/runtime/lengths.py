"""The lengths of a padded batch, as a caller gives them."""

from __future__ import annotations

import numpy as np

from lstm_export.errors import InputError
from lstm_export.runtime.feed import as_array


def read_lengths(value: object, batch: int, longest: int, shortest: int) -> list[int]:
    """`value` as one integer for each row of a padded batch, `shortest` to `longest`.

    Raises InputError naming the first row that is not.
    """
    array = as_array(value, "lengths")
    if array.dtype.kind not in "iu":
        raise InputError(f"lengths: expected integers, got {array.dtype}")
    if array.shape != (batch,):
        raise InputError(
            f"lengths: expected one for each of the {batch} rows, ({batch},), "
            f"got shape {array.shape}"
        )
    wrong = np.flatnonzero((array < shortest) | (array > longest))
    if wrong.size:
        row = int(wrong[0])
        reason = f"the batch is padded to {longest} steps"
        if array[row] < shortest:
            reason = f"the model needs at least {shortest}"
        raise InputError(
            f"lengths: row {row} is given {array[row]}, and {reason}: "
            f"expected {shortest} to {longest}"
        )
    lengths: list[int] = array.tolist()
    return lengths
