"""A look into a layer while it runs: its gates and its state at every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lstm_export.oracle.layer import Array


class Probe(Protocol):
    """What a layer shows its values to, step by step in the order in which it runs."""

    def gates(self, **computed: Array) -> tuple[Array, ...]:
        """Gates of a step, (batch, hidden_size) each, by name. The layer goes on with what is
        returned, in the same order. A gate that follows from others comes in a call of its own."""

    def state(self, values: Array) -> None:
        """What the layer keeps after the step, (batch, hidden_size): c of an LSTM, else h."""


@dataclass(frozen=True, slots=True)
class Held:
    """A probe that holds gates at a constant, whatever the layer has computed."""

    values: Mapping[str, float]

    def gates(self, **computed: Array) -> tuple[Array, ...]:
        return tuple(
            np.full_like(gate, self.values[name]) if name in self.values else gate
            for name, gate in computed.items()
        )

    def state(self, values: Array) -> None:
        """Leaves the state as it is."""
