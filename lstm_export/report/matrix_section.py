"""Every runtime against everything that it was asked, as a page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstm_export.report.page import (
    Block,
    Code,
    Findings,
    Grid,
    GridCell,
    GridRow,
    Section,
    Table,
    Tone,
)
from lstm_export.report.parity_section import failure_lines, place
from lstm_export.report.text import number, scientific, short

if TYPE_CHECKING:
    from lstm_export.parity.matrix import Cell, Verdict
    from lstm_export.parity.report import ParityReport

COLUMNS = 9
"""Columns that fit a page; the graphs of more are in tables below each other."""
MESSAGE = 600
"""Characters of a runtime's message; the JSON report has all of it."""

_TONES: dict[Verdict, Tone] = {
    "wrong": "bad",
    "crashed": "fallen",
    "hung": "fallen",
    "refused": "loud",
    "not asked": "absent",
    "within": "good",
    "not installed": "absent",
}


def worst_first(report: ParityReport) -> list[str]:
    """The runtimes by what became of them, wrong ones at the head, absent ones at the end."""
    order = list(_TONES)
    verdicts = report.verdicts
    return sorted(verdicts, key=lambda runtime: order.index(verdicts[runtime]))


def tally(report: ParityReport) -> str:
    """For example: 1 wrong, 2 refused, 7 within, 1 not installed."""
    verdicts = list(report.verdicts.values())
    counts = {verdict: verdicts.count(verdict) for verdict in _TONES}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


def matrix_section(report: ParityReport) -> Section:
    """The matrix, what is wrong, and what the runtimes said."""
    blocks: list[Block] = [*_grids(report)]
    if report.failures:
        blocks.append(Findings(failure_lines(report)))
    messages = _messages(report)
    if messages:
        header = ["runtime", "what became of it", "in its own words"]
        wrong = frozenset(
            i for i, (_, became, _) in enumerate(messages) if became.startswith("wrong")
        )
        text_columns = frozenset({1, 2})
        blocks.append(Table("What was said", header, messages, frozenset(), text_columns, wrong))
    text = (
        "Each graph was loaded once and asked for everything. Within: every value kept to the "
        "rule; the number is the worst error as a share of its bound. Refused: a clear no, when "
        "loading or running. Crashed or hung: the process died or had to be ended; what it was not "
        "asked after that says so. Wrong: an answer beyond its bound, and the only one that "
        "nobody would notice."
    )
    return Section("Every runtime, and what it was asked", text, blocks)


def worst_section(report: ParityReport) -> Section:
    """The worst case of each runtime, and what runs it again."""
    worst = report.worst_by_runtime()
    rows: list[list[str]] = []
    wrong = []
    for runtime in [name for name in worst_first(report) if name in worst]:
        one = worst[runtime]
        tensor = one.comparison
        if not tensor.passed:
            wrong.append(len(rows))
        where = short(f"{one.graph} · {tensor.name}{place(tensor)}", 60)
        rows.append(
            [
                runtime if tensor.passed else f"{runtime}: wrong",
                f"{where}\n{one.check} case {short(one.case, 60)}",
                scientific(tensor.worst_error),
                scientific(tensor.bound),
                *(number(value, 8) for value in (tensor.got, tensor.reference, tensor.torch)),
            ]
        )
    header = ["runtime", "where", "error", "bound", "got", "reference", "torch"]
    caption = "One value of each runtime: where it came nearest its bound, or went farthest beyond"
    blocks: list[Block] = [
        Table(caption, header, rows, frozenset(), frozenset({1}), frozenset(wrong))
    ]
    if report.kept:
        order = worst_first(report)
        kept = sorted(report.kept, key=lambda case: order.index(case.runtime))
        blocks.append(Code("\n".join(f"{case.command}  # {case.verdict}" for case in kept)))
        text = "Each case was kept with its inputs; the commands below run it again, alone."
    else:
        text = "With --cases FOLDER each case is kept with its inputs, to be run again alone."
    return Section("The worst case of each runtime", text, blocks)


def _grids(report: ParityReport) -> list[Grid]:
    by_place = {(cell.runtime, cell.graph, cell.feature): cell for cell in report.matrix}
    columns: dict[str, list[str]] = {}
    for _, graph, feature in by_place:
        features = columns.setdefault(graph, [])
        if feature not in features:
            features.append(feature)
    tables: list[list[str]] = []
    for graph, features in columns.items():
        taken = sum(len(columns[other]) for other in tables[-1]) if tables else COLUMNS
        if taken + len(features) > COLUMNS:
            tables.append([])
        tables[-1].append(graph)
    grids = []
    for graphs in tables:
        shown = [(graph, feature) for graph in graphs for feature in columns[graph]]
        rows = [
            GridRow(
                runtime,
                report.versions.get(runtime, ""),
                [
                    _cell(by_place[key]) if (key := (runtime, *where)) in by_place else None
                    for where in shown
                ],
            )
            for runtime in worst_first(report)
        ]
        groups = [(graph, len(columns[graph])) for graph in graphs]
        caption = f"{len(rows)} runtimes, worst first"
        grids.append(Grid(caption, groups, [feature for _, feature in shown], rows))
    return grids


def _cell(cell: Cell) -> GridCell:
    note = ""
    if cell.worst is not None and cell.verdict in ("within", "wrong"):
        severity = cell.worst.comparison.severity
        note = number(severity, 2 if severity >= 0.1 else 1) + (" ×" if severity > 1 else "")
    cases = f"{cell.cases} case{'s' if cell.cases != 1 else ''}"
    title = short(cell.message, MESSAGE) or f"{cases}: all within"
    return GridCell(cell.verdict, _TONES[cell.verdict], note, title)


def _messages(report: ParityReport) -> list[list[str]]:
    """Every message once, with the graphs and features that it was about."""
    said: dict[tuple[str, Verdict, str], dict[str, list[str]]] = {}
    for cell in report.matrix:
        if cell.message:
            key = (cell.runtime, cell.verdict, cell.message)
            said.setdefault(key, {}).setdefault(cell.graph, []).append(cell.feature)
    runtimes, verdicts = worst_first(report), list(_TONES)
    rows = []
    for runtime, verdict, message in sorted(
        said, key=lambda key: (runtimes.index(key[0]), verdicts.index(key[1]))
    ):
        graphs = said[runtime, verdict, message]
        where = "; ".join(f"{graph} ({', '.join(names)})" for graph, names in graphs.items())
        became = verdict if verdict == "not installed" else f"{verdict}: {where}"
        rows.append([runtime, became, short(message, MESSAGE)])
    return rows
