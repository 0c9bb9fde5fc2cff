"""Lengths of sequences that were padded behind their end, counted from the padding."""

from __future__ import annotations

import numpy as np

from lstm_export.importing.description import Input
from lstm_export.importing.expect.expected import Values


def counted(each: Input, array: Values) -> Values | None:
    """Steps of each sequence before the zeros at its end, (batch,); None where there are no steps.

    A sequence of nothing but zeros counts as one step: there are none of length 0.
    """
    if "batch" not in each.axes or "sequence_length" not in each.axes:
        return None
    steps = np.moveaxis(
        array != 0, (each.axes.index("batch"), each.axes.index("sequence_length")), (0, 1)
    )
    said = steps.reshape(*steps.shape[:2], -1).any(axis=2)
    time = said.shape[1]
    last = time - np.argmax(said[:, ::-1], axis=1)
    return np.asarray(np.where(said.any(axis=1), last, 1), dtype=np.int64)
