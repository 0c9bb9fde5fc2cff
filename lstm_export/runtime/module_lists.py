"""Which feeds of a graph are sequences of different lengths: a list of them, or a padded batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lstm_export.contract import GraphSpec
from lstm_export.errors import InputError
from lstm_export.runtime.lists import run_each
from lstm_export.runtime.module_rows import no_lists, sequence_input
from lstm_export.runtime.names import checked_names

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.module_rows import ModuleRows

LENGTHS = "lengths"
"""The keyword that says how many steps of each row of a padded batch count."""


class Given(NamedTuple):
    """Sequences as a caller gave them to the input `name`."""

    name: str
    value: Any
    lengths: object

    def run(self, rows: ModuleRows) -> Any:
        """The results, gathered by output. Raises InputError."""
        name = self.name
        if self.lengths is None:
            items, each = self.value, f"{name}[{{}}]"
        else:
            items, each = rows.padded(self.value, self.lengths), f"{name}, row {{}}"
        results: list[Sequence[Array]] = [()] * len(items)

        def put(positions: list[int], batch: list[list[Array]]) -> None:
            for position, row in zip(positions, batch, strict=True):
                results[position] = row

        run_each(rows, items, each, put)
        return rows.gathered(results)


def sequences_of(spec: GraphSpec, feed: object, feeds: Mapping[str, object]) -> Given | None:
    """The sequences among the feeds; None if each feed is one array. Raises InputError."""
    x = sequence_input(spec)
    named = dict(feeds)
    own = any(tensor.name == LENGTHS for tensor in spec.inputs)
    lengths = None if own else named.pop(LENGTHS, None)
    if x is None:
        if lengths is not None:
            raise no_lists(spec)
        return None
    if feed is not None and x.name not in named:
        named[x.name] = feed
    listed = _is_list(named.get(x.name), len(x.axes))
    if lengths is None and not (listed and len(named) == 1):
        return None
    value = checked_names(named, [x.name])[x.name]
    if listed and lengths is not None:
        raise InputError(
            f"lengths go with a padded batch; {x.name} is a list, whose items each have a length "
            "of their own: leave lengths out"
        )
    return Given(x.name, value, lengths)


def _is_list(value: object, rank: int) -> bool:
    """Whether `value` is a list of arrays without the axis of the batch, or of ragged lists."""
    if not isinstance(value, list | tuple) or not value:
        return False
    if all(isinstance(item, np.ndarray) for item in value):
        return all(item.ndim == rank - 1 > 0 for item in value)
    try:
        np.asarray(value)
    except (ValueError, TypeError, RuntimeError):
        return rank > 1
    return False
