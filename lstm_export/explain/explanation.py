"""What was found: plain values for tables, pages and JSON, and the traces to draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.compare.result import TensorComparison
from lstm_export.contract import Cell
from lstm_export.explain.memory import FORMULA
from lstm_export.explain.watch import NEAR_ONE, NEAR_ZERO

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GateFacts:
    """One gate of a layer over all units, steps and sequences."""

    name: str
    near_zero: float
    """Share of values below 0.1, of one."""
    near_one: float
    """Share of values above 0.9."""
    mean: float
    unit_means: Array
    """(hidden_size,)"""


@dataclass(frozen=True, slots=True)
class SwitchEffect:
    """How a model's answer changes with a layer that was changed: the root of the mean square of
    the differences, in the answer's own units."""

    name: str
    meaning: str
    rms: float
    """Over every value of the answers to all sequences."""
    rms_chosen: float
    """Over those of the chosen series."""
    relative: float | None
    """The same with every column of the answer in standard deviations of its unchanged values, over
    the columns that vary; None where none does."""


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """What is drawn of a layer: gates and "state", (columns, hidden_size) by name; column i is the
    mean over the steps from edges[i] to edges[i + 1]."""

    edges: npt.NDArray[np.int64]
    values: dict[str, Array]


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One recurrent layer in one direction."""

    number: int
    name: str
    cell: Cell
    backward: bool
    hidden_size: int
    gates: tuple[GateFacts, ...]
    """Those between 0 and 1."""
    memory: Array | None
    """τ of each unit in steps, (hidden_size,); None for a cell without such a gate."""
    switches: tuple[SwitchEffect, ...]
    trace: LayerTrace
    checks: tuple[TensorComparison, ...]
    """The runtime's outputs of the layer, and the model's answer, against the oracle's."""

    @property
    def title(self) -> str:
        """What people call it."""
        direction = ", backward" if self.backward else ""
        return f"layer {self.number}{direction}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "number": self.number,
            "name": self.name,
            "cell": self.cell,
            "direction": "backward" if self.backward else "forward",
            "hidden_size": self.hidden_size,
            "gates": {
                gate.name: {
                    "near_zero": gate.near_zero,
                    "near_one": gate.near_one,
                    "mean": gate.mean,
                }
                for gate in self.gates
            },
            "memory": None
            if self.memory is None
            else {
                "median": _finite(float(np.median(self.memory))),
                "units": [_finite(value) for value in self.memory.tolist()],
            },
            "switches": {
                effect.name: {
                    "meaning": effect.meaning,
                    "rms": effect.rms,
                    "rms_chosen": effect.rms_chosen,
                    "relative": effect.relative,
                }
                for effect in self.switches
            },
            "checks": [check.to_dict() for check in self.checks],
        }


@dataclass(frozen=True, slots=True)
class Answers:
    """The model's answer over time, (points, columns): at `steps[i]` the answer at that step, or,
    where a whole sequence is answered, the answer had it ended with that step."""

    steps: npt.NDArray[np.int64]
    values: Array
    columns: tuple[str, ...]
    every_step: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `explain` finds of a model on a series."""

    bundle: str
    data: str
    task: str
    series: str
    sequences: int
    """How many were run, the chosen one included."""
    features: tuple[str, ...]
    inputs: Array
    """(sequence_length, features)"""
    symbols: tuple[str, ...] | None
    """Of a text, what stands at each step."""
    times: Sequence[str]
    time_format: str | None
    output: str
    """The graph output that is the answer."""
    answers: Answers | None
    layers: tuple[LayerFacts, ...]
    notes: tuple[str, ...]

    @property
    def steps(self) -> int:
        """The length of the chosen series."""
        return len(self.inputs)

    @property
    def passed(self) -> bool:
        """Whether the oracle gives the runtime's numbers, by the parity rule."""
        return all(check.passed for layer in self.layers for check in layer.checks)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "bundle": self.bundle,
            "data": self.data,
            "task": self.task,
            "series": self.series,
            "steps": self.steps,
            "sequences": self.sequences,
            "output": self.output,
            "passed": self.passed,
            "near": [NEAR_ZERO, NEAR_ONE],
            "memory_formula": FORMULA,
            "layers": [layer.to_dict() for layer in self.layers],
            "notes": list(self.notes),
        }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
