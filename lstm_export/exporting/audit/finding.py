"""One reason why a module cannot be exported as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lstm_export.exporting.tracing.blame import Place

Trap = Literal["registration", "randomness", "carried state", "branch"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` stands where, by attribute path or by line; `why` it is wrong; the change to make."""

    trap: Trap
    what: str
    place: Place | None
    why: str
    change: str

    def __str__(self) -> str:
        at = f"\n  at {self.place}" if self.place else ""
        return f"{self.what}: {self.why}. {self.change[:1].upper()}{self.change[1:]}{at}"
