"""Embedding: a row of a table for every id. torch calls the table weight, Keras embeddings."""

from __future__ import annotations

from collections.abc import Sequence

from lstm_export.errors import InputError
from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import Axes, Float, Op, Tensors, weight
from lstm_export.importing.raw import Array

TABLE = {"torch": "weight", "keras": "embeddings"}


def _table(step: Step, tensors: Tensors) -> Float:
    """(ids, embedding_size)"""
    return weight(step, tensors, TABLE[step.layout], (None, None))


def _axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    return ((*inputs[0], _table(step, tensors).shape[1]),)


def _oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    table, ids = _table(step, tensors), inputs[0]
    if ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= len(table):
        raise InputError(
            f"{step.name or step.op}: expected ids from 0 to {len(table) - 1}, "
            f"got {ids.dtype} from {ids.min()} to {ids.max()}"
        )
    return (table[ids],)


EMBEDDING = Op(
    "embedding",
    _axes,
    _oracle,
    roles={layout: (role,) for layout, role in TABLE.items()},
)
