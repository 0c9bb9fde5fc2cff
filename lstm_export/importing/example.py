"""An example of what a described model is called with: the exporter traces on it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstm_export.errors import CheckpointError
from lstm_export.importing.description import Description, Input
from lstm_export.importing.raw import Array
from lstm_export.importing.reference import run
from lstm_export.importing.shapes import tensors_of

_BATCH = 2
_LENGTHS = (6, 24, 96, 384, 1536)
"""The first that the layers take: convolutions without padding want more than their kernel."""


def example(description: Description) -> dict[str, Array]:
    """Inputs by name: a batch of 2, normally distributed, ids over the whole vocabulary, one
    sequence shorter than the other.

    Raises CheckpointError if the layers take no length that was tried.
    """
    refused: Exception | None = None
    for length in _LENGTHS:
        inputs = {each.name: _drawn(each, description, length) for each in description.inputs}
        try:
            with np.errstate(all="ignore"):
                run(description, inputs)
        except ValueError as error:
            refused = refused or error
            continue
        return inputs
    raise CheckpointError(f"the layers take no sequence of up to {_LENGTHS[-1]} steps: {refused}")


def _drawn(each: Input, description: Description, length: int) -> Array:
    generator = np.random.default_rng(0)
    sizes = {"batch": _BATCH, "sequence_length": length}
    shape = tuple(axis if isinstance(axis, int) else sizes[axis] for axis in each.axes)
    if each.kind == "lengths":
        return np.array([length, length - 2], dtype=np.int64)
    if each.kind == "ids":
        ids = generator.integers(0, min(_vocabularies(each, description), default=3), shape)
        ids.flat[0], ids.flat[-1] = min(_vocabularies(each, description), default=3) - 1, 0
        return np.asarray(ids, dtype=np.int64)
    return np.asarray(generator.standard_normal(shape), dtype=np.float32)


def _vocabularies(each: Input, description: Description) -> Iterator[int]:
    """How many ids each embedding that reads the input knows."""
    for step in description.steps:
        if step.op == "embedding" and each.name in step.inputs:
            yield from (len(table) for table in tensors_of(step, description.tensors).values())
