"""Cutting sequences of many lengths into batches that are worth padding.

What a batch of B rows and T steps costs, in steps of one row, was measured as ::

    C + T · (1 + B)

A step costs as much as one row however many rows there are (their weights are read once), and a
run costs C steps before it starts. A row of length l that joins a batch adds padding, and saves a
run of its own: C + l. So the longest sequence opens a batch, and the next shorter one joins as
long as all padding of the batch together is at most C + l. Two rows are at most one quarter
padding then, more rows less; C alone can make it more where a call costs more than its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

CALL_WORK = 500_000
"""Multiplications done in the time that a run needs before it starts: some 10 µs."""
ROWS = 16
"""Rows from which a step costs no less for one more."""
STEPS = 2048
"""Steps of all rows together up to which short sequences still gain from more rows."""
VALUES = 1 << 22
"""Values of the widest array within one run, 16 MiB: what one batch may take."""


class Bucket(NamedTuple):
    """Sequences that run together: `positions` among all, longest first."""

    positions: list[int]
    length: int
    """Steps of the longest."""


def cut(
    lengths: Sequence[int],
    *,
    work: int,
    width: int,
    rows: int | None = None,
    at_most: int | None = None,
    pads: Callable[[int], bool],
) -> list[Bucket]:
    """Every position once, in buckets, longest first.

    `work` is what one step of one row costs, `width` the values that it needs at a time. `rows`
    is the number of rows that a bucket should have, `at_most` one that it may; None leaves it to
    the lengths. `pads(length)` is whether different lengths up to that one come together.
    """
    call = CALL_WORK // max(work, 1)
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    buckets: list[Bucket] = []
    most, longest, padding, padded = 0, 0, 0, False
    for position in order:
        length = lengths[position]
        padding += longest - length
        joins = length == longest or (padded and padding <= call + length)
        if most and joins and len(buckets[-1].positions) < most:
            buckets[-1].positions.append(position)
            continue
        longest, padding, padded = length, 0, pads(length)
        most = rows or max(ROWS, STEPS // length)
        most = max(1, min(most, at_most or most, VALUES // (length * width)))
        buckets.append(Bucket([position], length))
    return buckets
