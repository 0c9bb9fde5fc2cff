"""`lstm-export verify BUNDLE [--against RUN]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_export.cli.console import Force, Json, emit, emit_json, say, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstm_export.compare.result import TensorComparison
    from lstm_export.parity.matrix import Cell
    from lstm_export.parity.report import ParityReport


def verify(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", help="The bundle, a folder.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="RUN", help="Also run this run's torch module live."),
    ] = None,
    runtimes: Annotated[
        str,
        typer.Option(
            "--runtimes",
            "--runtime",
            help="What to verify in, separated by commas; all is everything that is installed.",
        ),
    ] = "onnxruntime",
    atol: Annotated[
        float | None, typer.Option("--atol", help="A fixed absolute tolerance.")
    ] = None,
    rtol: Annotated[
        float | None, typer.Option("--rtol", help="A fixed relative tolerance.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.json", help="Write everything here.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with plots here.")
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option("--markdown", metavar="FILE", help="Write the matrix of runtimes here."),
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", metavar="FOLDER", help="Keep the worst case of each runtime here."),
    ] = None,
    case: Annotated[
        Path | None,
        typer.Option("--replay", metavar="CASE.npz", help="Run this kept case again, alone."),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Verify a bundle: checksums, contract, and the same numbers as torch and the oracle.

    Exit code 1 if anything is wrong. Without --atol and --rtol the parity rule holds. With
    --runtimes all, what a runtime refuses loudly is shown and is no failure; wrong numbers are.

    With --json, and in --report: passed, bundle, against, runtimes, rule, counts (cases by
    check), failures (check, message), errors (cases without an answer), outputs (the worst case
    of each), matrix (by runtime, graph and feature: verdict, cases, message, worst case), absent
    (runtimes that are not installed), latency (seconds by graph and runtime), comparisons (every
    case), versions.
    """
    from lstm_export.errors import OptionError
    from lstm_export.files import refuse_existing, refuse_within, write_atomic
    from lstm_export.parity.replay import SavedCase, load_case, save_case
    from lstm_export.parity.verify import replay
    from lstm_export.parity.verify import verify as verify_bundle

    if bundle is None and case is None:
        raise OptionError("expected the BUNDLE to verify, or a kept case with --replay")
    if case is not None and (against, atol, rtol) != (None, None, None):
        raise OptionError("--against, --atol and --rtol are not for --replay")
    for path in (report, html, markdown):
        if path is not None:
            if bundle is not None:
                refuse_within(path, bundle, "into which only export writes")
            refuse_existing(path, force=force)
    if report and html and report.resolve() == html.resolve():
        raise OptionError(f"--report and --html both name {report}: give each its own file")
    names = [name.strip() for name in runtimes.split(",")]
    if case is not None:
        found = replay(load_case(case), bundle, names)
    else:
        assert bundle is not None
        found = verify_bundle(bundle, against=against, runtimes=names, atol=atol, rtol=rtol)
    if cases is not None:
        cases.mkdir(parents=True, exist_ok=True)
        for worst in found.worst:
            runtime = worst.comparison.runtime
            kept = cases / f"{runtime}.npz"
            refuse_existing(kept, force=force)
            save_case(kept, SavedCase(worst.trial, str(Path(found.bundle).resolve()), runtime))
            say(f"wrote {kept}: lstm-export verify --replay {kept} --runtime {runtime}")
    if markdown is not None:
        from lstm_export.parity.matrix import markdown as as_markdown

        write_atomic(markdown, as_markdown(found.matrix) + "\n")
        say(f"wrote {markdown}")
    if report is not None:
        from json import dumps

        text = dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        write_atomic(report, text + "\n")
        say(f"wrote {report}")
    if html is not None:
        from lstm_export.report.parity_report import write_parity_report

        write_parity_report(html, found)
        say(f"wrote {html}")
    if json:
        emit_json(found.to_dict())
    else:
        _show(found)
    return 0 if found.passed else 1


def _show(found: ParityReport) -> None:
    several = len(found.runtimes) > 1
    rows = []
    for one in found.worst_by_output():
        worst = one.worst.comparison
        name = f"{one.graph} {one.output}" + (f" ({one.runtime})" if several else "")
        held = f"{one.cases - one.failed}/{one.cases}"
        numbers = [_number(n) for n in (worst.worst_error, worst.bound, worst.torch_max_abs_error)]
        rows.append([name, held, *numbers, f"{one.worst.case}{_place(worst)}"])
    if rows:
        header = ["output", "passed", "worst error", "bound", "torch's own", "where"]
        emit(table(header, rows) + "\n")
    if several:
        _show_matrix(found)
    for note in found.notes:
        emit(f"note: {note}")
    for failure in found.failures:
        emit(f"FAILED {failure}")
    cases = sum(found.counts.values())
    with_what = "torch and the oracle, live" if found.against else "the golden values"
    verdict = "passed" if found.passed else f"FAILED, {len(found.failures)} findings"
    emit(f"{found.bundle}: {verdict}; {cases} cases against {with_what}")
    say(f"rule: {found.rule}")
    if found.passed and found.against is None:
        say("next: --against RUN compares with torch over the whole shape matrix")


def _show_matrix(found: ParityReport) -> None:
    """A line for each runtime, or for each graph of it where its verdicts differ."""
    by_graph: dict[str, dict[str, list[Cell]]] = {}
    for cell in found.matrix:
        by_graph.setdefault(cell.runtime, {}).setdefault(cell.graph, []).append(cell)
    lines = []
    for runtime, graphs in by_graph.items():
        said = {graph: (_said(cells), _why(cells)) for graph, cells in graphs.items()}
        if len(set(said.values())) == 1:
            said = {"every graph": next(iter(said.values()))}
        lines += [[runtime, graph, *words] for graph, words in said.items()]
    emit(table(["runtime", "graph", "verdict", "in its words"], lines, left=4) + "\n")


def _said(cells: Sequence[Cell]) -> str:
    verdicts: dict[str, list[str]] = {}
    for cell in cells:
        verdicts.setdefault(cell.verdict, []).append(cell.feature)
    if len(verdicts) == 1:
        return next(iter(verdicts))
    return "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in verdicts.items())


def _why(cells: Sequence[Cell]) -> str:
    return next((cell.message for cell in cells if cell.message), "")[:160]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _place(worst: TensorComparison) -> str:
    return "" if worst.worst_index is None else f" {list(worst.worst_index)}"
