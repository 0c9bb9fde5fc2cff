"""What a verification found, as frozen data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from lstm_export.bundle.manifest import ParitySummary
from lstm_export.compare.result import TensorComparison, json_number

Check = Literal["checksum", "contract", "provenance", "runtime", "golden", "live", "chunked"]
"""Where a failure was seen: the files' bytes; what the graphs promise; which run they come from;
a runtime that refused or raised; stored values; a run's module and the oracle, live; chunks that
carry state against one whole run."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that is wrong, in one sentence."""

    check: Check
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.message}"


@dataclass(frozen=True, slots=True)
class CaseComparison:
    """One output of one case in one runtime, judged."""

    check: Check
    runtime: str
    graph: str
    case: str
    comparison: TensorComparison
    moved: bool = False
    """Whether torch's own error is that of weights moved by one unit in the last place."""


@dataclass(frozen=True, slots=True)
class CaseError:
    """A case that a runtime did not answer."""

    check: Check
    runtime: str
    graph: str
    case: str
    message: str


@dataclass(frozen=True, slots=True)
class OutputSummary:
    """All cases of one output of one graph in one runtime."""

    runtime: str
    graph: str
    output: str
    cases: int
    failed: int
    worst: CaseComparison
    """The case that came closest to its bound, or exceeded it most."""


@dataclass(frozen=True, slots=True)
class ParityReport:
    """The verdict on a bundle, with everything that it rests on."""

    bundle: str
    against: str | None
    runtimes: tuple[str, ...]
    rule: str
    """The parity rule in force, in words."""
    comparisons: tuple[CaseComparison, ...]
    errors: tuple[CaseError, ...]
    failures: tuple[Failure, ...]
    """Everything that is wrong; disagreeing and unanswered cases are summed up per output."""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong and something was compared."""
        agree = all(one.comparison.passed for one in self.comparisons)
        return bool(self.comparisons) and agree and not self.failures and not self.errors

    @property
    def counts(self) -> dict[str, int]:
        """Cases that were answered and judged, by check and over all runtimes and graphs."""
        cases = {(c.check, c.runtime, c.graph, c.case) for c in self.comparisons}
        return dict(sorted(Counter(check for check, *_ in cases).items()))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the verdict must know beside it."""
        moved = [one for one in self.comparisons if one.moved]
        if not moved:
            return ()
        places = sorted({f"{one.graph} {one.comparison.name}" for one in moved})
        return (
            f"this model amplifies rounding: in {len(moved)} of {len(self.comparisons)} "
            f"comparisons ({', '.join(places)}) torch's own error was measured with every weight "
            "moved by one unit in the last place",
        )

    def worst_by_output(self) -> tuple[OutputSummary, ...]:
        """One summary per runtime, graph and output, in the order of their first cases."""
        groups: dict[tuple[str, str, str], list[CaseComparison]] = {}
        for one in self.comparisons:
            groups.setdefault((one.runtime, one.graph, one.comparison.name), []).append(one)
        return tuple(
            OutputSummary(
                *key,
                cases=len(group),
                failed=sum(not one.comparison.passed for one in group),
                worst=max(group, key=_rank),
            )
            for key, group in groups.items()
        )

    def summary(self) -> ParitySummary:
        """The few numbers that a manifest holds. Raises ValueError if nothing was compared."""
        worst = max(self.comparisons, key=_rank).comparison
        return ParitySummary(
            passed=self.passed,
            cases=sum(self.counts.values()),
            worst_error=worst.worst_error or 0.0,
            worst_bound=worst.bound or 0.0,
            torch_error=worst.torch_max_abs_error or 0.0,
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON. The keys are part of the command line's contract."""
        return {
            "passed": self.passed,
            "bundle": self.bundle,
            "against": self.against,
            "runtimes": list(self.runtimes),
            "rule": self.rule,
            "counts": self.counts,
            "notes": list(self.notes),
            "failures": [asdict(failure) for failure in self.failures],
            "errors": [asdict(error) for error in self.errors],
            "outputs": [_output(summary) for summary in self.worst_by_output()],
            "comparisons": [_case(one) for one in self.comparisons],
            "versions": dict(self.versions),
        }


def _rank(one: CaseComparison) -> tuple[bool, float]:
    return not one.comparison.passed, one.comparison.severity


def _output(summary: OutputSummary) -> dict[str, Any]:
    worst = summary.worst.comparison
    return {
        "runtime": summary.runtime,
        "graph": summary.graph,
        "output": summary.output,
        "cases": summary.cases,
        "failed": summary.failed,
        "worst_check": summary.worst.check,
        "worst_case": summary.worst.case,
        "worst_error": json_number(worst.worst_error),
        "worst_index": None if worst.worst_index is None else list(worst.worst_index),
        "bound": json_number(worst.bound),
        "torch_max_abs_error": json_number(worst.torch_max_abs_error),
        "reason": worst.reason,
    }


def _case(one: CaseComparison) -> dict[str, Any]:
    return {
        "check": one.check,
        "runtime": one.runtime,
        "graph": one.graph,
        "case": one.case,
        **one.comparison.to_dict(),
    }
