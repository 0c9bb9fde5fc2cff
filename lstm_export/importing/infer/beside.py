"""Embeddings narrower than what follows: a layer string with floats beside them, to look at.

Forecasters and models of events read an embedded category beside numbers; in which order nothing
tells, so that this is never a default.
"""

from __future__ import annotations

from collections.abc import Sequence

from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.order import chain


def floats_beside_text(groups: Sequence[Group]) -> str | None:
    """The layer string, if embeddings stand in front of a chain that takes more than they give."""
    tables = [group for group in groups if group.kind == "embedding"]
    rest = chain([group for group in groups if group.kind != "embedding"])
    if not tables or not rest or rest[0].takes is None:
        return None
    size = rest[0].takes - sum(table.gives or 0 for table in tables)
    if size < 1:
        return None
    inputs = "; ".join(f"i_{index}:ids" for index in range(len(tables)))
    values = "; ".join(f"e_{index} = i_{index}, {t.text}" for index, t in enumerate(tables))
    joined = ", ".join(f"e_{index}" for index in range(len(tables)))
    then = ", ".join(group.text for group in rest)
    return f"x:floats(size={size}); {inputs}; {values}; concat(x, {joined}), {then}"
