"""A list of sequences, or a padded batch with its lengths: cut into batches, run on all cores.

Memory is that of the result and of one batch for every core, however long the list: a sequence is
cast, checked and copied when its batch is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.runtime.buckets import Bucket, cut
from lstm_export.runtime.lanes import lanes_for, plan_of, spread
from lstm_export.runtime.ragged import ForecastRows, UncleanError, refuse
from lstm_export.runtime.settings import SHARD_ROWS

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array


def run_each(rows: ForecastRows, items: Sequence[Array], name: str) -> Array:
    """The forecasts (len(items), horizon, targets) after each sequence, in order.

    `name` with a number in it names a sequence in an error. Raises InputError.
    """
    feed, graphs = rows.feed, rows.graphs
    items = [feed.sequence(item, name.format(i)) for i, item in enumerate(items)]
    check = feed.checks
    if not check:  # a number too large for float32 is refused even where infinities may pass
        items = [feed.checked(item, name.format(i)) for i, item in enumerate(items)]
    lengths = [len(item) for item in items]
    lanes = lanes_for(graphs, len(items), sum(lengths))
    buckets = cut(
        lengths,
        work=graphs.work,
        width=rows.width,
        at_most=max(SHARD_ROWS, -(-len(items) // lanes)),
        pads=rows.pads,
    )
    result = np.empty((len(items), *rows.answer), np.float32)

    def run(bucket: Bucket) -> None:
        mine = [items[i] for i in bucket.positions]
        how = plan_of(graphs, lanes, len(mine), bucket.length)
        result[bucket.positions] = rows.run(mine, how, check=check)

    try:
        spread(run, buckets, min(lanes, len(buckets)))
    except UncleanError:
        raise refuse(feed, items, name) from None
    return result
