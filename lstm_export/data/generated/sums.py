"""`sum`: the first regression that a recurrent network is given."""

from __future__ import annotations

import numpy as np

from lstm_export.data.write import csv_text


def sums_to_train() -> bytes:
    """1,000 sequences of 2 to 20 numbers."""
    return _sums(1000, 2, 20, seed=0)


def sums_to_test() -> bytes:
    """200 sequences of 21 to 60 numbers, longer than any to train on."""
    return _sums(200, 21, 60, seed=1)


def _sums(sequences: int, shortest: int, longest: int, *, seed: int) -> bytes:
    """Sequences of uniform numbers in [0, 1) with three decimals, and their sums, as a long table:
    id, t, x, sum."""
    random = np.random.default_rng(seed)
    lengths = random.integers(shortest, longest + 1, size=sequences)
    sequence = np.repeat(np.arange(sequences), lengths)
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
