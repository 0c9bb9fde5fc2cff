"""A verification as Markdown, for the text of a pull request or an issue."""

from __future__ import annotations

import re

from lstm_export.parity.matrix import WORST_FIRST, Cell, Verdict, markdown
from lstm_export.parity.report import ParityReport

_ABSENT: Verdict = "not installed"
LONGEST = 300
"""Characters of a runtime's message; the JSON report has all of it."""


def pull_request(report: ParityReport) -> str:
    """The verdict in a line, the matrix, what is wrong, what gave no answer, what is not installed.

    Everything that was written elsewhere, paths and runtimes' messages, is in code spans.
    """
    verdicts = report.verdicts
    asked = {runtime: verdict for runtime, verdict in verdicts.items() if verdict != _ABSENT}
    parts = [_verdict(report, asked)]
    if asked:
        worst_first = sorted(asked, key=lambda runtime: WORST_FIRST.index(asked[runtime]))
        by_runtime: dict[str, list[Cell]] = {runtime: [] for runtime in worst_first}
        for cell in report.matrix:
            if cell.runtime in by_runtime:
                by_runtime[cell.runtime].append(cell)
        rows = [cell for own in by_runtime.values() for cell in own]
        parts.append(markdown(rows, report.versions))
    parts += [*_wrong(report), *_unanswered(report)]
    if report.absent:
        names = ", ".join(sorted(report.absent))
        parts.append(f"Not installed, so not asked: {names}.")
    parts.append(f"Rule: {_span(report.rule)}")
    return "\n\n".join(parts) + "\n"


def _verdict(report: ParityReport, asked: dict[str, Verdict]) -> str:
    counts = [(verdict, list(asked.values()).count(verdict)) for verdict in WORST_FIRST]
    words = ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
    cases = f"{sum(report.counts.values()):,} runs compared"
    headline = "Parity holds" if report.passed else "Parity FAILED"
    told = f": of {len(asked)} runtimes {words}; {cases}" if asked else f": {cases}"
    return f"**{headline}** for {_span(report.bundle)}{told}."


def _wrong(report: ParityReport) -> list[str]:
    lines = [f"- {one.check}: {_span(one.message, 3 * LONGEST)}" for one in report.failures]
    if not lines:
        return []
    again = [case.command for case in report.kept if case.verdict == "wrong"]
    lines += [f"- again: {_span(command, None)}" for command in again]
    if not again and "wrong" in report.verdicts.values():
        lines.append(
            "- `verify --cases FOLDER` keeps the worst case of each, to be run again alone"
        )
    return ["What is wrong:\n\n" + "\n".join(lines)]


def _unanswered(report: ParityReport) -> list[str]:
    """Every message once, with where it was said."""
    said: dict[tuple[str, Verdict, str], list[str]] = {}
    for cell in report.matrix:
        if cell.verdict in ("crashed", "hung", "refused", "not asked"):
            graphs = said.setdefault((cell.runtime, cell.verdict, cell.message), [])
            if cell.graph not in graphs:
                graphs.append(cell.graph)
    if not said:
        return []
    commands = {(case.runtime, case.verdict): case.command for case in report.kept}
    lines = []
    for (runtime, verdict, message), graphs in said.items():
        command = commands.pop((runtime, verdict), None)
        again = f" – again: {_span(command, None)}" if command else ""
        lines.append(f"- {runtime} {verdict} {', '.join(graphs)}: {_span(message)}{again}")
    summary = "<details><summary>What gave no answer, in the runtimes' own words</summary>"
    return [summary, "\n".join(lines), "</details>"]


def _span(text: str, longest: int | None = LONGEST) -> str:
    """`text` in one line as code: nothing in it is markup, whatever a runtime wrote."""
    line = " ".join(text.split()) or "(no words)"
    if longest is not None and len(line) > longest:
        line = line[: longest - 1] + "…"
    # A fence longer than any run of backticks within ends where it should.
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"
