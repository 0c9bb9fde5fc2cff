"""What a verification found, as frozen data."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lstm_export.bundle.manifest import ParitySummary
from lstm_export.compare.result import json_number
from lstm_export.parity.cases import CaseComparison, CaseError, Check
from lstm_export.parity.features import Feature
from lstm_export.parity.matrix import Cell, Verdict, cells, worst_verdicts

if TYPE_CHECKING:
    from lstm_export.parity.trial import Trial


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that is wrong, in one sentence."""

    check: Check
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.message}"


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
class WorstCase:
    """A trial, and the output of it that came nearest its bound, or exceeded it most."""

    trial: Trial
    comparison: CaseComparison


@dataclass(frozen=True, slots=True)
class UnansweredCase:
    """A trial, and what a runtime did instead of answering it."""

    trial: Trial
    error: CaseError


@dataclass(frozen=True, slots=True)
class KeptCase:
    """A case in a file: the worst answer of a runtime, or the first that it did not give."""

    runtime: str
    graph: str
    case: str
    verdict: Verdict
    path: str

    @property
    def command(self) -> str:
        """What runs it again, ready to be pasted."""
        words = ("lstm-export", "verify", "--replay", self.path, "--runtime", self.runtime)
        return shlex.join(words)


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
    """Everything that is wrong; disagreeing and unanswered cases are summed up per output.

    That a runtime refuses a case is none where all there are were asked for: it was loud.
    """
    versions: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    """Runtimes that are not installed, and how to get them."""
    tried: Mapping[str, Mapping[Feature, int]] = field(default_factory=dict)
    """How many trials each graph had for each feature."""
    latency: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Seconds of one run, by graph and runtime, pipes counted in."""
    worst: tuple[WorstCase, ...] = ()
    """The worst case of each runtime, with its inputs, to be kept and replayed."""
    unanswered: tuple[UnansweredCase, ...] = ()
    """Of each runtime the first case that it refused, that it crashed on and that it hung on."""
    atol: float | None = None
    rtol: float | None = None
    """The tolerances that replaced the parity rule, if any."""
    kept: tuple[KeptCase, ...] = ()
    """Those that were kept."""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong and something was compared."""
        agree = all(one.comparison.passed for one in self.comparisons)
        return bool(self.comparisons) and agree and not self.failures

    @property
    def matrix(self) -> tuple[Cell, ...]:
        """Every runtime, graph and feature with its verdict."""
        names = (*self.runtimes, *self.absent)
        return cells(names, self.comparisons, self.errors, self.absent, self.tried)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The worst verdict of each runtime, by name, over all that it was asked."""
        return worst_verdicts(self.matrix)

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

    def worst_by_runtime(self) -> dict[str, CaseComparison]:
        """By runtime, the answer that came nearest its bound, or exceeded it most."""
        groups: dict[str, list[CaseComparison]] = {}
        for one in self.comparisons:
            groups.setdefault(one.runtime, []).append(one)
        return {runtime: max(group, key=rank) for runtime, group in groups.items()}

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
                worst=max(group, key=rank),
            )
            for key, group in groups.items()
        )

    def summary(self) -> ParitySummary:
        """The few numbers that a manifest holds. Raises ValueError if nothing was compared."""
        worst = max(self.comparisons, key=rank).comparison
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
            "latency": {graph: dict(seconds) for graph, seconds in self.latency.items()},
            "matrix": [cell.to_dict() for cell in self.matrix],
            "verdicts": self.verdicts,
            "worst": [_case(one) for one in self.worst_by_runtime().values()],
            "kept": [asdict(case) | {"command": case.command} for case in self.kept],
            "absent": dict(self.absent),
            "versions": dict(self.versions),
        }


def rank(one: CaseComparison) -> tuple[bool, float]:
    """For finding the worst of many: failures first, then the share of the bound."""
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
