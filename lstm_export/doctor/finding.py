"""What a runtime does with one construct of a graph."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Consequence = Literal[
    "silently wrong",
    "crashes",
    "refuses",
    "inexact",
    "slow",
    "unguarded",
    "converts",
    "older releases refuse",
]
"""`inexact` and `slow` are right within a looser bound, or right but late; `unguarded` is right on
what the contract allows and does not refuse what it forbids; `converts` runs a translation of the
graph; the last is only a matter of the version."""

Evidence = Literal["measured", "tried", "read"]
"""By `make docs-matrix`, on the version that stands there; once, by hand, on a release like it; or
only in documentation, and then never seen."""

WRONG: tuple[Consequence, ...] = ("silently wrong", "crashes", "refuses")
"""What keeps a graph from being used in a runtime as it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One construct that one runtime is known not to compute as the graph says."""

    runtime: str
    version: str
    """The release that it was seen on, or read about; empty where it depends on the release."""
    construct: str
    consequence: Consequence
    detail: str
    """What was seen, in a sentence."""
    avoid: str
    """The option or rewrite that avoids it."""
    places: tuple[str, ...]
    """The nodes, by name; empty where the whole file is meant."""
    evidence: Evidence
    source: str = ""
    """The address of the documentation, where it was only read."""

    @property
    def blocks(self) -> bool:
        """Whether the graph cannot be used there as it is."""
        return self.consequence in WRONG

    def to_dict(self) -> dict[str, Any]:
        """Plain values, under the names of the fields, and `blocks`."""
        return {**asdict(self), "blocks": self.blocks}
