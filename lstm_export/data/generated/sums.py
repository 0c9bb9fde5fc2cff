"""`sum`: the first regression that a recurrent network is given."""

from __future__ import annotations

import numpy as np

from lstm_export.data.write import csv_text

_SEQUENCES = 1000
_SHORTEST, _LONGEST = 2, 20


def sums() -> bytes:
    """1,000 sequences of 2 to 20 uniform numbers in [0, 1) with three decimals, and their sums,
    as a long table: id, t, x, sum."""
    random = np.random.default_rng(0)
    lengths = random.integers(_SHORTEST, _LONGEST + 1, size=_SEQUENCES)
    sequence = np.repeat(np.arange(_SEQUENCES), lengths)
    starts = np.cumsum(lengths) - lengths
    thousandths = random.integers(0, 1000, size=len(sequence))
    total = np.add.reduceat(thousandths, starts)[sequence]
    return csv_text(
        {
            "id": sequence.tolist(),
            "t": (np.arange(len(sequence)) - starts[sequence]).tolist(),
            "x": (thousandths / 1000).tolist(),
            "sum": (total / 1000).tolist(),
        }
    ).encode()
