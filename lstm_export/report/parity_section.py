"""Parity as people read it: the verdict, each output's worst place, the failures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.compare.result import TensorComparison
from lstm_export.report.page import Block, Findings, Section, Table, Tile, Verdict, plot
from lstm_export.report.parity_figure import ROWS, OutputErrors, parity_figure
from lstm_export.report.svg import drawing_style
from lstm_export.report.text import scientific, short

if TYPE_CHECKING:
    from lstm_export.parity.report import OutputSummary, ParityReport

FAILURES = 40
"""Failures spelled out on a page; the JSON report has all of them."""
OUTPUTS = 48
"""Rows of the table of outputs; of more, those nearest their bound are shown."""


def verdict(report: ParityReport) -> Verdict:
    """For the head of a page."""
    if report.passed:
        against = "torch and the oracle" if report.against else "its golden values"
        return Verdict(f"Parity holds: same numbers as {against}", True)
    count = len(report.failures)
    return Verdict(f"Parity failed: {count} finding{'s' if count != 1 else ''}", False)


def parity_tile(report: ParityReport) -> Tile:
    """The error nearest to its bound beside torch's own."""
    worst = worst_comparison(report)
    if worst is None:
        return Tile("Worst parity error", "–", "nothing was compared")
    own = scientific(worst.torch_max_abs_error)
    note = f"torch's own {own}, bound {scientific(worst.bound)}"
    return Tile("Worst parity error", scientific(worst.worst_error), note)


def worst_comparison(report: ParityReport) -> TensorComparison | None:
    """The comparison nearest to its bound, or farthest beyond; None where there is none."""
    found = [one.comparison for one in report.comparisons]
    return max(found, key=lambda one: (not one.passed, one.severity), default=None)


def failure_lines(report: ParityReport) -> list[str]:
    """Everything that is wrong, a sentence each; of very many the first."""
    shown = [str(failure) for failure in report.failures[:FAILURES]]
    if (more := len(report.failures) - FAILURES) > 0:
        shown.append(f"and {more:,} more: see the JSON report")
    return shown


def parity_section(report: ParityReport, *, failures: bool = True) -> Section:
    """Plot, table and failures; without these where they stand elsewhere on the page."""
    blocks: list[Block] = []
    if report.failures and failures:
        blocks.append(Findings(failure_lines(report)))
    drawn = _errors_by_output(report)
    if drawn:
        with drawing_style():
            caption = (
                "Every dot is one case (of many, an even choice); left of the line is within the "
                "rule, at the very left is no error at all. Blue is the bundle, grey below it "
                "torch in float32 on the same inputs."
            )
            alt = f"Errors of {len(drawn)} outputs as shares of their bounds, bundle and torch."
            if (more := len(drawn) - ROWS) > 0:
                caption += f" The {ROWS} outputs nearest to their bound; {more} more are below."
            figure = parity_figure(drawn)
            blocks.append(plot(figure, "parity", caption, alt=alt))
    if report.comparisons:
        blocks.append(_table(report))
    return Section("Parity: the same numbers", _text(report), blocks)


def _text(report: ParityReport) -> str:
    cases = sum(report.counts.values())
    notes = "".join(f" Note: {note}." for note in report.notes)
    names = report.runtimes
    where = ", ".join(names) if len(names) < 4 else f"{len(names)} runtimes"
    return (
        f"{cases:,} runs of the bundle in {where}, each output compared with "
        f"a float64 reference. The rule: {report.rule}.{notes}"
    )


def _table(report: ParityReport) -> Table:
    summaries = report.worst_by_output()
    caption = "Every output at its worst place"
    if (more := len(summaries) - OUTPUTS) > 0:
        caption = (
            f"The {OUTPUTS} outputs nearest their bound, at their worst places; "
            f"{more:,} more are in the JSON report"
        )
        summaries = tuple(sorted(summaries, key=_from_worst))[:OUTPUTS]
    rows = []
    for summary in summaries:
        worst = summary.worst.comparison
        rows.append(
            [
                short(_name(report, summary.runtime, summary.graph, summary.output), 60),
                scientific(worst.worst_error),
                scientific(worst.bound),
                scientific(worst.torch_max_abs_error),
                short(summary.worst.case, 60) + place(worst),
                _held(summary.cases, summary.failed),
            ]
        )
    header = ["output", "worst error", "bound", "torch's own", "where", "cases that hold"]
    bad = frozenset(row for row, summary in enumerate(summaries) if summary.failed)
    return Table(caption, header, rows, frozenset(), frozenset({4}), bad)


def _from_worst(summary: OutputSummary) -> tuple[bool, float]:
    return not summary.failed, -summary.worst.comparison.severity


def _held(cases: int, failed: int) -> str:
    return f"{cases - failed:,} of {cases:,}" if failed else f"all {cases:,}"


def _name(report: ParityReport, runtime: str, graph: str, output: str) -> str:
    return f"{graph} · {output}" + (f" · {runtime}" if len(report.runtimes) > 1 else "")


def place(tensor: TensorComparison) -> str:
    """Where the worst error is, as an index; nothing where nothing was compared."""
    if tensor.worst_index is None:
        return ""
    return f" [{', '.join(map(str, tensor.worst_index))}]"


def _errors_by_output(report: ParityReport) -> list[OutputErrors]:
    found: dict[str, list[TensorComparison]] = {}
    for one in report.comparisons:
        if one.comparison.bound is not None:
            name = _name(report, one.runtime, one.graph, one.comparison.name)
            found.setdefault(name, []).append(one.comparison)
    return [
        OutputErrors(
            name,
            np.array([_share(one.worst_error, one.bound) for one in cases]),
            np.array([_share(one.torch_max_abs_error, one.bound) for one in cases]),
        )
        for name, cases in found.items()
    ]


def _share(error: float | None, bound: float | None) -> float:
    if error is None or bound is None:
        return math.nan
    if error == 0:
        return 0.0
    return error / bound if bound else math.inf
