"""`lstm-export explain BUNDLE DATA`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from lstm_export.cli.console import Force, Json, emit, emit_json, say, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstm_export.data.missing import Missing
    from lstm_export.explain.explanation import Explanation, LayerFacts


def explain(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="A bundle, or an ONNX file with such layers.")
    ],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="CSV or Parquet file, embedded data set; .npz or .npy for modules."
        ),
    ],
    series: Annotated[
        str | None, typer.Option("--series", metavar="ID", help="Of several series, this one.")
    ] = None,
    index: Annotated[
        int | None,
        typer.Option("--index", metavar="N", help="This sequence or window, from 0; -1: the last."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", help="The last so many rows, in place of a window.")
    ] = None,
    layer: Annotated[
        list[int] | None,
        typer.Option("--layer", metavar="N", help="This layer alone, from 1; may be repeated."),
    ] = None,
    series_id: Annotated[
        str | None, typer.Option("--series-id", help="The column that tells series apart.")
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="COLUMN", help="The column of texts.")
    ] = None,
    missing: Annotated[
        str, typer.Option("--missing", help="Missing values: error, interpolate or drop.")
    ] = "error",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write a page, as explain.html.")
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="DIR", help="Write its figures into this folder."),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Show what a model's recurrent layers do on a series: gates, memory, what each gate is for.

    Every LSTM, GRU and RNN is computed by its equations, on the model's own weights and on what
    enters it in the runtime; that this gives the runtime's numbers is checked each time (exit code
    1 if not). Of a table the last window is taken, as `predict` does.

    A gate value below 0.1 counts as shut, one above 0.9 as open: a forget gate near 0 forgets, near
    1 keeps. A unit's memory is −1 / mean(log f) steps, f being its forget gate (of a GRU the update
    gate): after so many steps 1/e of a value is left. A gate is switched off by holding it at 0 or
    1 in the whole layer; the effect is the change of the model's answer, RMS over all sequences.

    With --json: bundle, data, task, series, steps, sequences, output (the graph output that is the
    answer), passed, near (the two limits), memory_formula, notes, out, png (paths of what was
    written); layers, each with number, name, cell, direction, hidden_size; gates (by name:
    near_zero, near_one, mean); memory (median and units, in steps; a unit that never forgets is
    null; null for an RNN); switches (by name: meaning, rms, rms_chosen of this series, relative to
    the answer's standard deviation); checks (name, passed, max_abs_error, bound and more, as verify
    has them).
    """
    from lstm_export.explain.explain import explain as run
    from lstm_export.explain.inputs.choice import Choice

    _check_outputs(out, png, bundle, data, force=force)
    choice = Choice(series, index, rows, series_id, text, cast("Missing", missing))
    found = run(bundle, data, choice, layer or ())
    for note in found.notes:
        say(f"note: {note}")
    if out is not None:
        from lstm_export.report.explain_page import write_explanation

        write_explanation(out, found)
        say(f"wrote {out}")
    images: tuple[Path, ...] = ()
    if png is not None:
        from lstm_export.report.explain_page import write_images

        images = write_images(png, found, force=force)
        say(f"wrote {len(images)} images into {png}")
    if json:
        paths = {"out": str(out) if out else None, "png": [str(path) for path in images]}
        emit_json(found.to_dict() | paths)
    else:
        emit("\n".join(_lines(found)))
    return 0 if found.passed else 1


def _check_outputs(
    out: Path | None, png: Path | None, bundle: Path, data: str, *, force: bool
) -> None:
    """Before any work: what could not, or must not, be written afterwards."""
    from lstm_export.files import refuse_existing, refuse_within

    for path in (out, png):
        if path is not None:
            refuse_within(path, bundle, "into which only export writes")
            refuse_within(path, Path(data), "which is what is explained on")
    if out is not None:
        refuse_existing(out, force=force)
    if out is not None or png is not None:
        from lstm_export.report.explain_page import require_figures

        require_figures()


def _lines(found: Explanation) -> Iterator[str]:
    others = f", {found.sequences} sequences in all" if found.sequences > 1 else ""
    yield f"{found.series}: {found.steps:,} steps{others}; the answer is {found.output}"
    for layer in found.layers:
        yield ""
        yield f"{layer.title}: {layer.cell.upper()}, {layer.hidden_size} units ({layer.name})"
        yield from _gates(layer)
        if layer.switches:
            yield ""
            yield _switches(layer)
        yield ""
        yield from _checks(layer)


def _gates(layer: LayerFacts) -> Iterator[str]:
    if layer.gates:
        rows = [
            [gate.name, f"{gate.near_zero:.1%}", f"{gate.near_one:.1%}", f"{gate.mean:.3f}"]
            for gate in layer.gates
        ]
        yield table(["gate", "near 0", "near 1", "mean"], rows)
    if layer.memory is not None:
        from statistics import median

        units = layer.memory.tolist()
        span = f"{min(units):.3g} to {max(units):.3g}"
        yield f"memory: {span} steps, median {median(units):.3g}"


def _switches(layer: LayerFacts) -> str:
    rows = [
        [
            effect.name,
            f"{effect.rms:.4g}",
            f"{effect.rms_chosen:.4g}",
            "-" if effect.relative is None else f"{effect.relative:.3f}",
        ]
        for effect in layer.switches
    ]
    return table(["switched off", "change (RMS)", "this series", "in std"], rows)


def _checks(layer: LayerFacts) -> Iterator[str]:
    for check in layer.checks:
        if check.passed:
            error = f"error {check.worst_error:.1e} ≤ {check.bound:.1e}"
            yield f"{check.name}: as in the runtime, {error}"
        else:
            yield f"{check.name}: NOT as in the runtime: {check.reason}"
