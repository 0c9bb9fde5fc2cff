"""torch float32's own error, measured on more than one roll of the dice.

One float32 run is one sample of rounding. At a fixed point of a recurrent network, or where it
amplifies what it is given, that sample can be lucky: torch may be 1e−7 off while moving every
weight by one unit in the last place, which float32 cannot tell apart from the weights themselves,
moves torch's answer by 1e−6. Where torch's plain run leaves an output out of bounds, its own error
is therefore taken as the worst of several runs with weights so moved, and the report says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lstm_export.checkpoint import Checkpoint
from lstm_export.compare.result import TensorComparison
from lstm_export.compare.tensors import compare
from lstm_export.parity.runtimes.registry import Runner, Subject, Tensors, adapter

RUNS = 16
BEYOND = 100.0
"""Errors of so many times the bound are not rounding, and are not looked into."""


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


def rejudged(
    results: tuple[TensorComparison, ...],
    got: Tensors,
    reference: Tensors,
    answers: Iterator[Tensors],
) -> dict[str, TensorComparison]:
    """The outputs among `results` that failed as rounding may, and pass by the measured error."""
    open_ = {r.name for r in results if not r.passed and r.severity <= BEYOND}
    passed: dict[str, TensorComparison] = {}
    if any(not r.passed and r.name not in open_ for r in results):
        return passed
    for torch in answers if open_ else ():
        for name in sorted(open_ - set(passed)):
            result = compare(name, got[name], reference[name], torch[name])
            if result.passed:
                passed[name] = result
        if len(passed) == len(open_):
            break
    return passed


def _moved(checkpoint: Checkpoint, seed: int) -> Checkpoint:
    rng = np.random.default_rng(seed)
    weights = {}
    for name, value in checkpoint.weights.items():
        towards = np.where(rng.random(value.shape) < 0.5, -np.inf, np.inf).astype(np.float32)
        weights[name] = np.nextafter(value, towards)
    return replace(checkpoint, weights=weights)
