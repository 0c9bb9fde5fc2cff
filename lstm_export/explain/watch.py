"""What is kept of a layer while it runs: counts of all its gates' values, and a trace to draw.

Memory does not grow with the length of a series: a trace of many steps holds means over equal runs
of them.
"""

from __future__ import annotations

import numpy as np

from lstm_export.oracle.layer import Array

NEAR_ZERO, NEAR_ONE = 0.1, 0.9
"""Gate values below and above are taken for shut and open."""
COLUMNS = 480
"""At most so many points in time are kept of a trace: about two pixels each on a wide page."""


class Counts:
    """One gate over all steps and sequences: per unit, how often it was near 0 and near 1, its
    mean and the mean of its logarithm, (hidden_size,) each."""

    def __init__(self, hidden_size: int) -> None:
        self.values = 0
        self._low, self._high, self._sum, self._log = np.zeros((4, hidden_size))

    def add(self, gate: Array) -> None:
        """One step, (batch, hidden_size)."""
        self.values += len(gate)
        self._low += (gate < NEAR_ZERO).sum(axis=0)
        self._high += (gate > NEAR_ONE).sum(axis=0)
        self._sum += gate.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):  # a candidate may be 0 or less
            self._log += np.log(gate).sum(axis=0)

    @property
    def near_zero(self) -> Array:
        return self._low / self.values

    @property
    def near_one(self) -> Array:
        return self._high / self.values

    @property
    def mean(self) -> Array:
        return self._sum / self.values

    @property
    def mean_log(self) -> Array:
        """−∞ where the gate was 0."""
        return self._log / self.values


class Trace:
    """Gates and state of one sequence, (columns, hidden_size) each by name.

    `edges` (columns + 1,) are the steps between which a column has the mean.
    """

    def __init__(self, steps: int, hidden_size: int, *, backward: bool) -> None:
        columns = min(steps, COLUMNS)
        self.edges = np.linspace(0, steps, columns + 1).astype(np.int64)
        self._columns = np.repeat(np.arange(columns), np.diff(self.edges))
        self._shape, self._backward = (columns, hidden_size), backward
        self._sums: dict[str, Array] = {}
        self._seen: dict[str, int] = {}

    def add(self, name: str, values: Array) -> None:
        """The next step of one gate, or of the state, (1, hidden_size)."""
        step = self._seen.get(name, 0)
        self._seen[name] = step + 1
        sums = self._sums.setdefault(name, np.zeros(self._shape))
        sums[self._columns[-1 - step if self._backward else step]] += values[0]

    def values(self, name: str) -> Array:
        """In the order of time, whatever the direction in which the layer reads."""
        return self._sums[name] / np.diff(self.edges)[:, np.newaxis]


class Watch:
    """A probe that counts gates and, while there is a `trace`, draws them and the state."""

    def __init__(self, hidden_size: int) -> None:
        self.counts: dict[str, Counts] = {}
        self.trace: Trace | None = None
        self._hidden_size = hidden_size

    def gates(self, **computed: Array) -> tuple[Array, ...]:
        for name, gate in computed.items():
            if name not in self.counts:
                self.counts[name] = Counts(self._hidden_size)
            self.counts[name].add(gate)
            if self.trace is not None:
                self.trace.add(name, gate)
        return tuple(computed.values())

    def state(self, values: Array) -> None:
        """Draws what the layer keeps, under the name "state"."""
        if self.trace is not None:
            self.trace.add("state", values)
