"""`lstm-export doctor SOURCE`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_export.cli.console import Json, emit, emit_json, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lstm_export.contract import TensorSpec
    from lstm_export.doctor.finding import Finding
    from lstm_export.doctor.graph_files import FileDiagnosis
    from lstm_export.doctor.module import ModuleDiagnosis
    from lstm_export.doctor.stock import StockOutcome
    from lstm_export.exporting.report import ExportReport


def doctor(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="file.py:name (a function or class that gives a module), a bundle, an ONNX file.",
        ),
    ],
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="Weights for the module.")
    ] = None,
    example_shape: Annotated[
        list[str] | None,
        typer.Option(
            "--example-shape",
            metavar="NAME=SIZES",
            help="An example of one input, as x=2,5,3 or tokens=2,5:int64<100; repeat it.",
        ),
    ] = None,
    runtimes: Annotated[
        str | None,
        typer.Option("--for", metavar="NAMES", help="Runtimes to ask about, separated by commas."),
    ] = None,
    stock: Annotated[
        bool, typer.Option(help="Also try torch's own exporters on the module.")
    ] = True,
    json: Json = False,
) -> int:
    """Say what would go wrong, and where: a module before its export, a graph before it is run.

    The code of file.py is run; nothing is written. Runtimes: those that `lstm-export runtimes`
    lists; mnn and iree, which were tried by hand; tensorrt, triton and matlab, whose documentation
    alone was read. A release may follow, as onnxruntime@1.17. Exit code 1 if the module cannot be
    exported, or a runtime that --for names is known not to compute the graph.

    With --json, of a module: kind, source, module, parameters, example, guessed, layers,
    unregistered, stock (exporter, verdict, detail, nodes, seconds), report (of the export; null if
    refused), refusal, runtimes, findings, blocked. Of a file: kind, path, runtimes, blocked, graphs
    (name, inputs, outputs, findings). A finding: runtime, version, construct, consequence, detail,
    avoid, places, evidence (measured, tried or read), source, blocks.
    """
    from lstm_export.doctor.limits.known import TRIED
    from lstm_export.doctor.runtimes import read_runtime
    from lstm_export.exporting.source.spelling import is_factory

    asked = [read_runtime(name) for name in runtimes.split(",")] if runtimes else []
    if is_factory(source):
        _need_torch()
        from lstm_export.doctor.module import diagnose_module

        found = diagnose_module(
            source,
            weights=weights,
            example_shapes=example_shape or (),
            runtimes=asked,
            stock=stock,
            say=say,
        )
        if json:
            emit_json(found.to_dict())
        else:
            _show_module(found)
        return 1 if found.blocked else 0
    from lstm_export.doctor.graph_files import diagnose_file
    from lstm_export.errors import OptionError

    if weights is not None or example_shape:
        raise OptionError("--weights and --example-shape are for a module, given as file.py:name")
    graphs = diagnose_file(source, asked or [read_runtime(name) for name in TRIED])
    if json:
        emit_json(graphs.to_dict())
    else:
        _show_graphs(graphs, asked=bool(asked))
    # Unasked, that some runtime somewhere refuses a graph is news and no failure.
    return 1 if asked and graphs.blocked else 0


def _need_torch() -> None:
    from lstm_export.errors import MissingExtraError

    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "torch", "export", "looking at a module") from None


def _show_module(found: ModuleDiagnosis) -> None:
    emit(f"module        {found.module} of {found.source}, {found.parameters:,} parameters")
    for layer in found.layers or ("no recurrent layer of torch.nn",):
        emit(f"layer         {layer}")
    guess = "  (guessed; --example-shape says otherwise)" if found.guessed else ""
    emit(f"example       {' '.join(found.example)}{guess}")
    for sentence in found.unregistered:
        emit(f"unregistered  {sentence}")
    emit("")
    for outcome in found.stock:
        emit(f"{outcome.exporter:<13} {_outcome(outcome)}")
    if found.report is None:
        first, *more = found.refusal.splitlines()
        emit(f"lstm_export   cannot: {first}")
        for line in more:
            emit(f"              {line}")
    else:
        for line in _report_lines(found.report):
            emit(line)
    if found.runtimes:
        emit("")
        _show_findings(found.runtimes, found.findings)


def _outcome(outcome: StockOutcome) -> str:
    text = outcome.verdict + (f" {outcome.detail}" if outcome.detail.startswith("at ") else "")
    if outcome.detail and not outcome.detail.startswith("at "):
        text += f": {outcome.detail}"
    if outcome.nodes is not None and outcome.seconds is not None:
        text += f" ({outcome.nodes} nodes, {outcome.seconds:.1f} s)"
    return text


def _report_lines(report: ExportReport) -> Iterator[str]:
    yield f"lstm_export   right ({report.nodes} nodes, {report.seconds:.1f} s)"
    yield ""
    for end, tensors in (("input", report.inputs), ("output", report.outputs)):
        for tensor in tensors:
            yield f"{end:<13} {tensor}"
            for position, axis in enumerate(tensor.axes):
                noted = f"{tensor.name}: axis {position} is always {axis.size}: {axis.reason}"
                if not axis.dynamic and axis.reason and noted not in report.notes:
                    yield f"{'':<13}   axis {position} is {axis.size}: {axis.reason}"
    for layer in report.layers:
        yield f"lowered       {layer}"
    for loop in report.loops:
        yield f"loop          {loop}"
    for note in report.notes:
        yield f"note          {note}"


def _show_graphs(found: FileDiagnosis, *, asked: bool) -> None:
    for index, graph in enumerate(found.graphs):
        if index:
            emit("")
        emit(f"graph         {graph.name}")
        for end, specs in (("input", graph.spec.inputs), ("output", graph.spec.outputs)):
            for spec in specs:
                emit(f"{end:<13} {spec}{_fixed(spec) if end == 'input' else ''}")
        emit("")
        named = {finding.runtime for finding in graph.findings}
        shown = found.runtimes if asked else [one for one in found.runtimes if one in named]
        _show_findings(shown, graph.findings)
        if not asked:
            quiet = [one for one in found.runtimes if one not in named and not _only_read(one)]
            if quiet:
                emit(f"nothing is known against it in {', '.join(quiet)}")


def _fixed(spec: TensorSpec) -> str:
    """A word on an input that takes one size only, where a sequence would vary."""
    sizes = [axis for axis in spec.axes[:-1] if isinstance(axis, int)]
    if len(spec.axes) < 3 or len(sizes) < len(spec.axes) - 1:
        return ""
    return "  (no dynamic axis but the last at most: one batch size and one length)"


def _show_findings(runtimes: Sequence[str], findings: Sequence[Finding]) -> None:
    for name in runtimes:
        own = [finding for finding in findings if finding.runtime == name]
        if not own:
            never = "; it was never run, its documentation was read" if _only_read(name) else ""
            emit(f"{name}: nothing is known against it{never}")
        for finding in own:
            places = ", ".join(finding.places[:3])
            if len(finding.places) > 3:
                places += f" and {len(finding.places) - 3} more"
            where = "" if places.lower() == finding.construct.lower() else f" ({places})"
            emit(f"{name}: {finding.consequence}: {finding.construct}{where}")
            emit(f"    {finding.detail}{_seen(finding)}")
            emit(f"    to avoid it, {finding.avoid}")


def _only_read(runtime: str) -> bool:
    from lstm_export.doctor.limits.known import READ

    return runtime.partition("@")[0] in READ


def _seen(finding: Finding) -> str:
    """How it is known: measured, tried once, or only read about and where."""
    if finding.evidence == "read":
        return f"; read, not measured: {finding.source} ({finding.version})"
    if not finding.version:
        return ""
    return f"; {'measured' if finding.evidence == 'measured' else 'seen'} on {finding.version}"
