"""A list of sequences, or a padded batch with its lengths: cut into batches, run on all cores.

Memory is that of the result and of one batch for every core, however long the list: what a
forecaster takes is cast, checked and copied when its batch is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from lstm_export.runtime.buckets import ROWS, STEPS, Bucket, cut
from lstm_export.runtime.lanes import lanes_for, plan_of, spread
from lstm_export.runtime.packing import UncleanError
from lstm_export.runtime.ragged import Rows, refuse

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array

T = TypeVar("T")
LEAST = 4
"""Rows of a batch below which the call itself weighs too much."""


def run_each(
    rows: Rows[T, Any], given: Sequence[object], name: str, put: Callable[[list[int], T], None]
) -> None:
    """Runs every sequence of `given` and hands each batch's results to `put`, with their places.

    `name` with a number in it names a sequence in an error. Raises InputError.
    """
    graphs = rows.graphs
    items: list[Array] = [
        item if rows.fits(item) else rows.read(item, name.format(i))  # type: ignore[misc]
        for i, item in enumerate(given)
    ]
    lengths = [len(item) for item in items]
    lanes = lanes_for(graphs, len(items), sum(lengths))
    buckets = cut(
        lengths,
        work=graphs.work,
        width=rows.width,
        at_most=rows.most(items) or _even(len(items), sum(lengths), lanes),
        pads=rows.pads,
    )

    def run(bucket: Bucket) -> None:
        mine = [items[i] for i in bucket.positions]
        how = plan_of(graphs, lanes, len(mine), bucket.length)
        put(bucket.positions, rows.run(mine, how, check=rows.checks))

    try:
        spread(run, buckets, min(lanes, len(buckets)))
    except UncleanError:
        raise refuse(rows, items, name) from None


def _even(count: int, steps: int, lanes: int) -> int:
    """The most rows of a batch so that all lanes have as many batches, and end together."""
    usual = max(ROWS, STEPS * count // steps)
    rounds = -(-count // (usual * lanes))
    return max(LEAST, -(-count // (rounds * lanes)))
