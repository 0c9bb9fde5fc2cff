"""What a row of the table says: who was timed, the ratios, the bounds and whether they are reached.

A bound counts as reached when the whole interval lies on its good side; where a row asks only that
something is not worse beyond noise, when the interval does not lie on the bad side as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from lstm_export.bench.statistics import Estimate, better_of, median_estimate, paired_ratio

OURS = "ours"
Times = Mapping[str, Sequence[float]]


@dataclass
class Row:
    """One configuration of the table, in seconds."""

    name: str
    config: str
    times: Times = field(default_factory=dict)
    floor: float | None = None
    """The physical limit, seconds."""
    facts: dict[str, Any] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def at_least(self, bound: float, *theirs: str, what: str | None = None) -> None:
        """Theirs ÷ ours must reach `bound`; of several the best counts, absent ones do not."""
        present = [name for name in theirs if name in self.times]
        if not present or OURS not in self.times:
            return
        best = better_of(*(self.times[name] for name in present))
        name = next(name for name in present if self.times[name] is best)
        ratio = paired_ratio(best, self.times[OURS])
        self._check(what or name, ratio, ">=", bound, reached=ratio.low >= bound)

    def at_most_above(self, bound: float, other: str) -> None:
        """Ours must take at most `bound` seconds more than `other`."""
        if OURS not in self.times or other not in self.times:
            return
        pairs = zip(self.times[OURS], self.times[other], strict=True)
        more = median_estimate([ours - theirs for ours, theirs in pairs])
        micro = Estimate(*(1e6 * v for v in (more.value, more.low, more.high)), 0.0, more.count)
        self._check(f"{other} + us", micro, "<=", 1e6 * bound, reached=micro.high <= 1e6 * bound)

    def below(self, what: str, estimate: Estimate, bound: float) -> None:
        """`estimate` must not exceed `bound`."""
        self._check(what, estimate, "<=", bound, reached=estimate.high <= bound)

    def not_above(self, what: str, estimate: Estimate, bound: float) -> None:
        """`estimate` must not exceed `bound` beyond noise."""
        self._check(what, estimate, "not above", bound, reached=estimate.low <= bound)

    def _check(
        self, what: str, estimate: Estimate, sense: str, bound: float, *, reached: bool
    ) -> None:
        self.checks.append(
            {
                "what": what,
                "value": round(estimate.value, 3),
                "interval": [round(estimate.low, 3), round(estimate.high, 3)],
                "bound": f"{sense} {bound:g}",
                "reached": reached,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values; times in microseconds."""
        ours = self.times.get(OURS)
        return {
            "row": self.name,
            "config": self.config,
            "microseconds": {
                name: round(median(of) * 1e6, 2) for name, of in self.times.items() if of
            },
            "rounds": len(ours) if ours else 0,
            "floor_microseconds": None if self.floor is None else round(self.floor * 1e6, 2),
            "times_the_floor": round(median(ours) / self.floor, 2) if ours and self.floor else None,
            "checks": self.checks,
            "facts": self.facts,
            "missing": self.missing,
        }
