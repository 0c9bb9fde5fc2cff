"""Every runtime against everything that a graph may be asked: one verdict for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lstm_export.compare.result import json_number
from lstm_export.parity.cases import CaseComparison, CaseError
from lstm_export.parity.features import FEATURES, Feature

Verdict = Literal["within", "refused", "crashed", "hung", "wrong", "not installed"]
_WORST_FIRST: tuple[Verdict, ...] = ("wrong", "crashed", "hung", "refused", "within")


@dataclass(frozen=True, slots=True)
class Cell:
    """One runtime on one graph, asked for one feature.

    `cases` were tried, of which `verdict` is that of the worst. `message` is the runtime's own word
    where it gave no answer, the reason where it was wrong. `worst` is the output that came nearest
    its bound, or exceeded it most; None where nothing was answered.
    """

    runtime: str
    graph: str
    feature: Feature
    verdict: Verdict
    cases: int
    message: str = ""
    worst: CaseComparison | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        comparison = None if self.worst is None else self.worst.comparison
        return {
            "runtime": self.runtime,
            "graph": self.graph,
            "feature": self.feature,
            "verdict": self.verdict,
            "cases": self.cases,
            "message": self.message,
            "worst_case": None if self.worst is None else self.worst.case,
            "worst_output": None if comparison is None else comparison.name,
            "worst_error": None if comparison is None else json_number(comparison.worst_error),
            "bound": None if comparison is None else json_number(comparison.bound),
        }


def cells(
    runtimes: Sequence[str],
    comparisons: Iterable[CaseComparison],
    errors: Iterable[CaseError],
    absent: Mapping[str, str],
    tried: Mapping[str, Mapping[Feature, int]],
) -> tuple[Cell, ...]:
    """The matrix, runtime by runtime in their order.

    `tried` counts the trials by graph and feature; `absent` says how to get what is not installed.
    """
    answered: dict[tuple[str, str, Feature], list[CaseComparison]] = {}
    for one in comparisons:
        for feature in one.features:
            answered.setdefault((one.runtime, one.graph, feature), []).append(one)
    unanswered: dict[tuple[str, str, Feature], list[CaseError]] = {}
    for error in errors:
        for feature in error.features:
            unanswered.setdefault((error.runtime, error.graph, feature), []).append(error)
    found = []
    for runtime in runtimes:
        for graph, counts in tried.items():
            for feature in FEATURES:
                if not counts.get(feature):
                    continue
                key = runtime, graph, feature
                if runtime in absent:
                    found.append(Cell(*key, "not installed", counts[feature], absent[runtime]))
                else:
                    results = answered.get(key, []), unanswered.get(key, [])
                    found.append(_cell(key, counts[feature], *results))
    return tuple(found)


def _cell(
    key: tuple[str, str, Feature],
    count: int,
    comparisons: Sequence[CaseComparison],
    errors: Sequence[CaseError],
) -> Cell:
    worst = max(
        comparisons,
        key=lambda one: (not one.comparison.passed, one.comparison.severity),
        default=None,
    )
    verdicts: dict[Verdict, str] = {error.kind: error.message for error in reversed(errors)}
    if worst is not None and not worst.comparison.passed:
        verdicts["wrong"] = f"{worst.comparison.name}: {worst.comparison.reason}"
    elif worst is not None:
        verdicts.setdefault("within", "")
    if not verdicts:
        return Cell(*key, "refused", count, "it gave no answer")
    verdict = next(each for each in _WORST_FIRST if each in verdicts)
    return Cell(*key, verdict, count, verdicts[verdict], worst)


def markdown(found: Sequence[Cell]) -> str:
    """The matrix as a Markdown table: a row for each runtime, a column for graph and feature."""
    columns = list(dict.fromkeys((cell.graph, cell.feature) for cell in found))
    by_place = {(cell.runtime, cell.graph, cell.feature): cell for cell in found}
    several = len({graph for graph, _ in columns}) > 1
    names = [f"{graph}: {feature}" if several else feature for graph, feature in columns]
    lines = [f"| runtime | {' | '.join(names)} |", f"|---|{'---|' * len(columns)}"]
    for runtime in dict.fromkeys(cell.runtime for cell in found):
        row = [_shown(by_place.get((runtime, *place))) for place in columns]
        lines.append(f"| {runtime} | {' | '.join(row)} |")
    return "\n".join(lines)


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.verdict == "within":
        return "within"
    return f"**{cell.verdict.upper()}**" if cell.verdict == "wrong" else cell.verdict
