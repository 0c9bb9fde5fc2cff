"""A batch for any graph, split into runs side by side along the axis that each tensor calls so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import BATCH, GraphSpec
from lstm_export.runtime.shards import side_by_side

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.session import Session


def splits(graph: GraphSpec) -> bool:
    """Whether every output has rows to put together again."""
    return all(BATCH in spec.axes for spec in graph.outputs)


def in_shards(
    session: Session, graph: GraphSpec, arrays: Mapping[str, Array], batch: int, shards: int
) -> list[Array]:
    """What `session` gives for `arrays`, whose rows do not depend on each other."""
    axes = {spec.name: spec.axes.index(BATCH) for spec in graph.inputs if BATCH in spec.axes}

    def run(rows: slice) -> list[Array]:
        feeds = dict(arrays)
        for name, axis in axes.items():
            places = (slice(None),) * axis
            feeds[name] = np.ascontiguousarray(arrays[name][(*places, rows)])
        return session.run(feeds)

    pieces = side_by_side(run, batch, shards)
    return [
        np.concatenate(parts, axis=spec.axes.index(BATCH))
        for parts, spec in zip(zip(*pieces, strict=True), graph.outputs, strict=True)
    ]
