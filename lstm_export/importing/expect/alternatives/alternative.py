"""Another reading of the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.expected import Values
from lstm_export.importing.layers.layers import Layers
from lstm_export.importing.ops.op import label

RECURRENT = ("lstm", "gru", "rnn")
STEP_OPS = ("last", "first", "mean", "max", "last_valid")


@dataclass(frozen=True, slots=True)
class Alternative:
    """Other layers, and what they mean in one sentence without its full stop.

    `place` says which part of the model they change: two alternatives with different places can
    hold at once. `added` are arrays for inputs that the user's file does not have.
    """

    sentence: str
    layers: Layers
    place: str
    added: Mapping[str, Values] = field(default_factory=dict)


Family = Callable[[Case], Iterator[Alternative]]
"""All alternatives of one kind to a case, likely ones first. A family need not check that they
fit: those that do not are left out later."""


def recurrent_steps(layers: Layers) -> list[int]:
    """Where the recurrent steps are."""
    return [i for i, step in enumerate(layers.steps) if step.op in RECURRENT]


def step_ops(layers: Layers) -> list[int]:
    """Where one step of a sequence is taken, or a summary of all."""
    return [i for i, step in enumerate(layers.steps) if step.op in STEP_OPS]


def called(layers: Layers, index: int) -> str:
    """Step `index` as people know it."""
    return label(layers.steps[index])
