"""What a model is explained on: a chosen series, and others beside it, as the graph takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Feeds = Mapping[str, npt.NDArray[Any]]
"""The graph's inputs by name."""

SEQUENCES = 64
"""At most so many sequences are run."""
VALUES = 60_000
"""Of these at most so many steps altogether, and never fewer than those of the chosen series."""
LONGEST = 5_000
"""Of a longer series the last so many steps are explained, where nobody asks for more."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A chosen series and, for figures that want more than one, others."""

    name: str
    batches: tuple[Feeds, ...]
    """The first is the chosen series alone; none of the others has it."""
    sequences: int
    """In all batches together."""
    features: tuple[str, ...]
    values: npt.NDArray[np.float64]
    """(sequence_length, features): what is drawn as the input."""
    times: Sequence[str]
    """What each step is called, (sequence_length,)."""
    time_format: str | None = None
    targets: tuple[str, ...] = ()
    """The answers' names, where they have any."""
    symbols: tuple[str, ...] | None = None
    """Of a text, what stands at each step."""
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        return len(self.values)


def others(steps: int, count: int) -> int:
    """How many of `count` further sequences of `steps` are run beside the chosen one."""
    return max(0, min(count, SEQUENCES - 1, VALUES // steps - 1))
