"""`lstm-export verify BUNDLE [--against RUN]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstm_export.cli.console import Force, Json, emit_json, say


def verify(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", help="The bundle, a folder.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="RUN", help="Also run this run's torch module live."),
    ] = None,
    runtimes: Annotated[
        str | None,
        typer.Option(
            "--runtimes",
            "--runtime",
            help="What to verify in, separated by commas; all is everything that is installed.",
            show_default="onnxruntime, or the kept case's own",
        ),
    ] = None,
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
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page with the matrix and plots here."),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            "--markdown", metavar="FILE", help="Write the matrix for a pull request here."
        ),
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(
            "--cases",
            metavar="FOLDER",
            help="Keep each runtime's worst case here, and the first that it did not answer.",
        ),
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
    A kept case is judged as it was when it was kept, unless a BUNDLE, --against, --atol or --rtol
    say otherwise.

    With --json, and in --report: passed, bundle, against, runtimes, rule, counts (cases by
    check), notes, failures (check, message), errors (cases without an answer: runtime, graph,
    case, message, kind), outputs (each at its worst: case, error, index, bound), comparisons
    (every output of every case: got, reference and torch at its worst place, histogram of
    errors), matrix (by runtime, graph and feature: verdict, cases, message, worst case, output
    and error, bound), verdicts (the worst of each runtime), worst (the worst comparison of each
    runtime), kept (of --cases: runtime, graph, case, verdict, path, command), absent (runtimes
    that are not installed, and how to get them), latency (seconds of one run by graph and
    runtime, pipes to processes of their own counted in), versions (of each runtime, and of what
    verifies).
    """
    from dataclasses import replace

    from lstm_export.cli.verify_text import show_replay, show_report
    from lstm_export.errors import OptionError
    from lstm_export.files import refuse_existing, refuse_within, write_atomic
    from lstm_export.parity.kept import keep, refuse_kept
    from lstm_export.parity.replay import load_case
    from lstm_export.parity.trial import Tolerance
    from lstm_export.parity.verify import replay
    from lstm_export.parity.verify import verify as verify_bundle

    if bundle is None and case is None:
        raise OptionError("expected the BUNDLE to verify, or a kept case with --replay")
    if case is not None and cases is not None:
        raise OptionError("--cases is not for --replay: the case is kept already")
    for path in (report, html, markdown, cases):
        if path is not None and bundle is not None:
            refuse_within(path, bundle, "into which only export writes")
    named = {"--report": report, "--html": html, "--markdown": markdown}
    _refuse_same(named)
    for path in named.values():
        if path is not None:
            refuse_existing(path, force=force)
    if cases is not None:
        refuse_kept(cases, force=force)
    saved = None if case is None else load_case(case)
    if runtimes is None:
        runtimes = "onnxruntime" if saved is None else saved.runtime
    names = [name.strip() for name in runtimes.split(",")]
    if saved is not None:
        given = None if (atol, rtol) == (None, None) else Tolerance(atol, rtol)
        found = replay(saved, bundle, names, against=against, tolerance=given)
    else:
        assert bundle is not None
        found = verify_bundle(bundle, against=against, runtimes=names, atol=atol, rtol=rtol)
    if cases is not None:
        found = replace(found, kept=keep(found, cases, force=force))
        for one in found.kept:
            say(f"wrote {one.path} ({one.verdict}): {one.command}")
    if markdown is not None:
        from lstm_export.parity.markdown import pull_request

        write_atomic(markdown, pull_request(found))
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
    elif saved is not None:
        show_replay(saved, found)
    else:
        show_report(found)
    return 0 if found.passed else 1


def _refuse_same(named: dict[str, Path | None]) -> None:
    """Refuses two options that name one file."""
    from lstm_export.errors import OptionError

    options: dict[Path, str] = {}
    for option, path in named.items():
        if path is not None:
            other = options.setdefault(path.resolve(), option)
            if other != option:
                raise OptionError(f"{other} and {option} both name {path}: give each its own file")
