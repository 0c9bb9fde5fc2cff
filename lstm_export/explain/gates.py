"""The gates of each cell by the oracle's names, what they are for, and what 'switched off' means.

A gate is switched off by holding it at a constant in the whole layer, at every step and for every
unit: at the value at which it lets everything through, and at the one at which it stops everything.
What is then left of the layer's equations stands beside each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lstm_export.contract import Cell


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: its name, its sign in the equations, and what it does."""

    name: str
    sign: str
    title: str
    between: tuple[float, float]
    """Its smallest and largest value: 0 and 1 of a sigmoid, −1 and 1 of a candidate."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A change to a layer. `held` are gates at a constant; `cut`: no state enters a step."""

    name: str
    meaning: str
    held: Mapping[str, float] = field(default_factory=dict)
    cut: bool = False


_SIGMOID, _TANH = (0.0, 1.0), (-1.0, 1.0)

GATES: dict[Cell, tuple[Gate, ...]] = {
    "lstm": (
        Gate("forget", "f", "forget gate: 0 forgets, 1 keeps", _SIGMOID),
        Gate("input", "i", "input gate: 0 ignores, 1 writes", _SIGMOID),
        Gate("candidate", "g", "candidate: what would be written", _TANH),
        Gate("output", "o", "output gate: 0 hides, 1 shows", _SIGMOID),
    ),
    "gru": (
        Gate("update", "z", "update gate: 0 takes the candidate, 1 keeps the state", _SIGMOID),
        Gate("reset", "r", "reset gate: 0 leaves the state out of the candidate", _SIGMOID),
        Gate("candidate", "n", "candidate: what would be written", _TANH),
    ),
    "rnn": (),
}

MEMORY: dict[Cell, str | None] = {"lstm": "forget", "gru": "update", "rnn": None}
"""The gate that says how much of the state is carried into the next step."""

STATE: dict[Cell, tuple[str, str]] = {
    "lstm": ("cell", "cell state c: what is remembered"),
    "gru": ("state", "state h: what is remembered, and given"),
    "rnn": ("state", "state h: what is remembered, and given"),
}

SWITCHES: dict[Cell, tuple[Switch, ...]] = {
    "lstm": (
        Switch("forget gate at 1", "never forgets: c[t] = c[t−1] + i ⊙ g", {"forget": 1.0}),
        Switch("forget gate at 0", "keeps nothing: c[t] = i ⊙ g", {"forget": 0.0}),
        Switch("input gate at 1", "always writes: c[t] = f ⊙ c[t−1] + g", {"input": 1.0}),
        Switch("input gate at 0", "never writes: c[t] = f ⊙ c[t−1]", {"input": 0.0}),
        Switch("output gate at 1", "always shows: h[t] = tanh(c[t])", {"output": 1.0}),
    ),
    "gru": (
        Switch("update gate at 0", "keeps nothing but by n: h[t] = n[t]", {"update": 0.0}),
        Switch("update gate at 1", "never writes: h[t] = h[t−1]", {"update": 1.0}),
        Switch("reset gate at 1", "the candidate always sees the state", {"reset": 1.0}),
        Switch("reset gate at 0", "the candidate never sees the state", {"reset": 0.0}),
    ),
    "rnn": (Switch("recurrence cut", "no state enters a step: W_hh h[t−1] left out", cut=True),),
}
