"""What a comparison found, as values: every run, and the runs of a cell together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from lstm_export.cells.plan import Trial
from lstm_export.training.options import TrainCell


@dataclass(frozen=True, slots=True)
class Reach:
    """The gradient norm that reaches back k = 0, 1, … steps (`reach.py` has the formula)."""

    trained: tuple[float, ...]
    initial: tuple[float, ...]
    """Of the same model before its first step."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What the cells are judged by, on the test part."""

    name: str
    """accuracy, or RMSE of a target."""
    unit: str = ""
    larger_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """One run of a comparison."""

    trial: Trial
    parameters: int
    seconds: float | None
    """How long training took on this machine; None where it was not run through in one go."""
    epochs: int
    score: float
    others: Mapping[str, float]
    """What answers without learning reach, by name."""
    reach: Reach | None
    """None for a model that reads in both directions: its answer depends on both ends."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of several numbers."""

    median: float
    smallest: float
    largest: float


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one sequence takes in a cell's bundle, side by side with the other cells'."""

    steps: int
    seconds: float
    ratio: float
    """To the first cell, the median over rounds in which both had their turn."""
    low: float
    high: float
    """The interval of the ratio, 95 %."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All runs of a plan, in its order."""

    data: str
    task: str
    metric: Metric
    cells: tuple[TrainCell, ...]
    seeds: tuple[int, ...]
    steps: tuple[int | None, ...]
    """The values of T that were swept; (None,) where there was no sweep."""
    findings: tuple[Finding, ...]
    latency: Mapping[str, Latency]
    """By cell, of the bundle of its first run at the largest T."""
    chance: float | None
    """The accuracy of guessing: 1 / classes."""
    budget: str
    """How long each run may train, in words."""
    notes: tuple[str, ...]

    @property
    def swept(self) -> bool:
        """Whether T was swept."""
        return self.steps != (None,)

    @property
    def gradients(self) -> bool:
        """Whether it is known how far they reach."""
        return all(finding.reach is not None for finding in self.findings)

    def of(self, cell: str, steps: int | None) -> tuple[Finding, ...]:
        """The runs of a cell at one T, by seed."""
        return tuple(f for f in self.findings if (f.trial.cell, f.trial.steps) == (cell, steps))

    def score(self, cell: str, steps: int | None) -> Spread:
        """Over the seeds."""
        return spread([finding.score for finding in self.of(cell, steps)])

    def seconds(self, cell: str, steps: int | None) -> Spread | None:
        """Of training, over the seeds whose time is known."""
        known = [f.seconds for f in self.of(cell, steps) if f.seconds is not None]
        return spread(known) if known else None

    def reach(self, cell: str, steps: int | None) -> Reach | None:
        """The geometric mean over the seeds."""
        found = [finding.reach for finding in self.of(cell, steps) if finding.reach is not None]
        if not found:
            return None
        trained, initial = (
            tuple(np.exp(np.log(np.array(curves)).mean(axis=0)).tolist())
            for curves in ([one.trained for one in found], [one.initial for one in found])
        )
        return Reach(trained, initial)

    def to_dict(self) -> dict[str, Any]:
        """As plain values: the keys that `lstm-export compare --help` names."""
        rows = []
        for steps in self.steps:
            for cell in self.cells:
                found, seconds = self.of(cell, steps), self.seconds(cell, steps)
                reach = self.reach(cell, steps)
                rows.append(
                    {
                        "cell": cell,
                        "steps": steps,
                        "parameters": found[0].parameters,
                        "training_seconds": None if seconds is None else asdict(seconds),
                        "score": asdict(self.score(cell, steps)),
                        "scores": [finding.score for finding in found],
                        "gradient": None if reach is None else asdict(reach),
                    }
                )
        return {
            "data": self.data,
            "task": self.task,
            "metric": asdict(self.metric),
            "budget": self.budget,
            "seeds": list(self.seeds),
            "results": rows,
            "latency": {cell: asdict(one) for cell, one in self.latency.items()},
            "chance": self.chance,
            "baselines": [
                {"steps": steps, **self.of(self.cells[0], steps)[0].others} for steps in self.steps
            ],
            "notes": list(self.notes),
        }

    def columns(self) -> dict[str, Sequence[object]]:
        """A row per run, for compare.csv."""
        found = self.findings
        columns: dict[str, Sequence[object]] = {
            "cell": [f.trial.cell for f in found],
            "steps": [f.trial.steps for f in found],
            "seed": [f.trial.seed for f in found],
            "parameters": [f.parameters for f in found],
            "epochs": [f.epochs for f in found],
            "training seconds": [f.seconds for f in found],
            self.metric.name: [f.score for f in found],
        }
        if not self.swept:
            del columns["steps"]
        return columns


def spread(values: Sequence[float]) -> Spread:
    """Of at least one number."""
    return Spread(median(values), min(values), max(values))
