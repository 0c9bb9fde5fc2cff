"""`lstm-export verify BUNDLE [--against RUN]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_export.cli.console import Force, Json, emit, emit_json, say, table

if TYPE_CHECKING:
    from lstm_export.compare.result import TensorComparison
    from lstm_export.parity.report import ParityReport


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle, a folder.")],
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="RUN", help="Also run this run's torch module live."),
    ] = None,
    runtimes: Annotated[
        str, typer.Option("--runtimes", help="What to verify in, separated by commas.")
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
    force: Force = False,
    json: Json = False,
) -> int:
    """Verify a bundle: checksums, contract, and the same numbers as torch and the oracle.

    Exit code 1 if anything is wrong. Without --atol and --rtol the parity rule holds.

    With --json, and in --report: passed, bundle, against, runtimes, rule, counts (cases by
    check), failures (check, message), errors (cases without an answer), outputs (the worst case
    of each), comparisons (every case), versions.
    """
    from lstm_export.errors import OptionError
    from lstm_export.files import refuse_existing, refuse_within, write_atomic
    from lstm_export.parity.verify import verify as verify_bundle

    for path in (report, html):
        if path is not None:
            refuse_within(path, bundle, "into which only export writes")
            refuse_existing(path, force=force)
    if report and html and report.resolve() == html.resolve():
        raise OptionError(f"--report and --html both name {report}: give each its own file")
    names = [name.strip() for name in runtimes.split(",")]
    found = verify_bundle(bundle, against=against, runtimes=names, atol=atol, rtol=rtol)
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


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _place(worst: TensorComparison) -> str:
    return "" if worst.worst_index is None else f" {list(worst.worst_index)}"
