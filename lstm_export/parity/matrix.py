"""Every runtime against everything that a graph may be asked: one verdict for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lstm_export.compare.result import json_number
from lstm_export.parity.cases import CaseComparison, CaseError
from lstm_export.parity.features import FEATURES, Feature

Verdict = Literal["wrong", "crashed", "hung", "refused", "not asked", "within", "not installed"]
WORST_FIRST: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, slots=True)
class Cell:
    """One runtime on one graph, asked for one feature.

    `cases` were tried, of which `verdict` is that of the worst. `message` is the runtime's own word
    where it gave no answer, the reason where it was wrong or not asked. `worst` is the output that
    came nearest its bound, or exceeded it most; None where nothing was answered.
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
    verdict = next(each for each in WORST_FIRST if each in verdicts)
    return Cell(*key, verdict, count, verdicts[verdict], worst)


def worst_verdicts(found: Iterable[Cell]) -> dict[str, Verdict]:
    """The worst verdict of each runtime, in the order of the cells."""
    worst: dict[str, Verdict] = {}
    for cell in found:
        known = worst.get(cell.runtime, cell.verdict)
        worst[cell.runtime] = min(known, cell.verdict, key=WORST_FIRST.index)
    return worst


def markdown(found: Sequence[Cell], versions: Mapping[str, str] | None = None) -> str:
    """The matrix as a Markdown table: a row for each runtime, a column for each feature.

    A cell has one word where all graphs agree, else each verdict with its graphs, worst first.
    """
    asked = {cell.feature for cell in found}
    columns = [feature for feature in FEATURES if feature in asked]
    rows: dict[str, dict[Feature, list[Cell]]] = {}
    for cell in found:
        rows.setdefault(cell.runtime, {}).setdefault(cell.feature, []).append(cell)
    lines = [f"| runtime | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for runtime, by_feature in rows.items():
        name = f"{runtime} {(versions or {}).get(runtime, '')}".strip()
        row = [_merged(by_feature.get(feature, [])) for feature in columns]
        lines.append(f"| {_escaped(name)} | {' | '.join(row)} |")
    return "\n".join(lines)


def _merged(asked: Sequence[Cell]) -> str:
    graphs: dict[Verdict, list[str]] = {}
    for cell in sorted(asked, key=lambda cell: WORST_FIRST.index(cell.verdict)):
        graphs.setdefault(cell.verdict, []).append(cell.graph)
    if len(graphs) <= 1:
        return "".join(map(_word, graphs))
    return "; ".join(
        f"{_word(verdict)}: {_escaped(', '.join(names))}" for verdict, names in graphs.items()
    )


def _word(verdict: Verdict) -> str:
    return "**WRONG**" if verdict == "wrong" else verdict


def _escaped(text: str) -> str:
    """`text` fit for a cell of a table: one line, no bars."""
    return " ".join(text.split()).replace("|", "\\|")
