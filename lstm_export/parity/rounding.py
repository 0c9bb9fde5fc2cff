"""torch float32's own error for the graphs of a run: on weights moved by one last place each.

`compare.rounding` says why, and judges by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lstm_export.checkpoint import Checkpoint
from lstm_export.compare.rounding import RUNS, moved_by_one_place
from lstm_export.parity.runtimes.registry import Runner, Subject, Tensors, adapter


@dataclass
class MovedWeights:
    """torch on copies of a run whose weights are each one unit in the last place away."""

    subject: Subject
    checkpoint: Checkpoint

    def __post_init__(self) -> None:
        self._runners: list[Runner] = []

    def answers(self, inputs: Tensors) -> Iterator[Tensors]:
        """The outputs of up to RUNS such copies, made as they are asked for."""
        for index in range(RUNS):
            if index == len(self._runners):
                moved = replace(self.subject, checkpoint=_moved(self.checkpoint, index))
                self._runners.append(adapter("torch")(moved))
            yield self._runners[index](inputs)


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """What such copies answered to one case when it was kept."""

    kept: Sequence[Tensors]

    def answers(self, inputs: Tensors) -> Iterator[Tensors]:
        """The answers again; `inputs` are those of the case."""
        yield from self.kept


def _moved(checkpoint: Checkpoint, seed: int) -> Checkpoint:
    rng = np.random.default_rng(seed)
    weights = {name: moved_by_one_place(value, rng) for name, value in checkpoint.weights.items()}
    return replace(checkpoint, weights=weights)
