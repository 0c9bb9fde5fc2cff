"""What a runtime does with one construct of a graph."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Consequence = Literal[
    "silently wrong", "crashes", "refuses", "inexact", "slow", "older releases refuse"
]
"""`inexact` and `slow` are right within a looser bound, or right but late; the last is only a
matter of the version."""

WRONG: tuple[Consequence, ...] = ("silently wrong", "crashes", "refuses")
"""What keeps a graph from being used in a runtime as it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One construct that one runtime is known not to compute as the graph says."""

    runtime: str
    version: str
    """The release of the runtime on which it was seen; empty where it depends on the release."""
    construct: str
    consequence: Consequence
    detail: str
    """What was measured, in a sentence."""
    avoid: str
    """The option or rewrite that avoids it."""
    places: tuple[str, ...]
    """The nodes, by name; empty where the whole file is meant."""

    @property
    def blocks(self) -> bool:
        """Whether the graph cannot be used there as it is."""
        return self.consequence in WRONG

    def to_dict(self) -> dict[str, Any]:
        """Plain values, under the names of the fields, and `blocks`."""
        return {**asdict(self), "blocks": self.blocks}
