"""`lstm-export export SOURCE --out BUNDLE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstm_export.cli.console import Force, Json, emit, emit_json, say


def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A finished training run, or model.py:name for a module."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The bundle to write, a folder.")],
    weights: Annotated[
        Path | None, typer.Option("--weights", help="The module's weights, a checkpoint.")
    ] = None,
    example_shape: Annotated[
        list[str] | None,
        typer.Option(
            "--example-shape",
            metavar="NAME=SIZES",
            help="An example of an input: x=2,5,3 or tokens=2,5:int64<1000. Repeat for each.",
        ),
    ] = None,
    target: Annotated[
        str, typer.Option("--target", help="portable (any runtime) or onnxruntime.")
    ] = "portable",
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Demand a module's stream graph, or leave it out; by default, if it can stream.",
        ),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Export a training run, or any module with recurrent layers, as a bundle.

    model.py:name is a function or class in a Python file of yours, which is run, that gives the
    module. Without --example-shape its input is guessed from its first layers.

    With --json: bundle, files (name to bytes and sha256), graphs (inputs and outputs with their
    axes), opset_version, ir_version, parity, notes.
    """
    from dataclasses import asdict

    from lstm_export.errors import MissingExtraError, OptionError

    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "torch", "export", "exporting") from None
    from lstm_export.bundling import export_bundle
    from lstm_export.exporting.source.example import load_example
    from lstm_export.exporting.source.factory import is_factory

    if is_factory(source):
        example = load_example(source, weights, example_shape or ())
        if weights is None:
            say("no --weights: the module has the weights that its code gave it")
        if example.guessed:
            say(f"no --example-shape: guessed {' '.join(example.lines)}")
        manifest = export_bundle(
            example.module,
            out,
            args=example.args,
            kwargs=example.kwargs,
            target=target,  # type: ignore[arg-type]  # checked there
            stream=stream,
            force=force,
        )
    elif weights is not None or example_shape or stream is not None:
        raise OptionError(
            "--weights, --example-shape and --stream are for a module, as model.py:name; "
            f"{source} is a run"
        )
    else:
        manifest = export_bundle(source, out, target=target, force=force)  # type: ignore[arg-type]
    parity = manifest.parity
    assert parity is not None
    if json:
        emit_json(
            {
                "bundle": str(out),
                "files": {name: asdict(entry) for name, entry in manifest.files.items()},
                "graphs": {name: asdict(graph) for name, graph in manifest.graphs.items()},
                "opset_version": manifest.opset_version,
                "ir_version": manifest.ir_version,
                "parity": asdict(parity),
                "notes": list(manifest.provenance.notes),
            }
        )
        return
    emit(f"bundle    {out}")
    for name, entry in manifest.files.items():
        emit(f"          {name:<12} {entry.bytes:>9,} bytes")
    for name, graph in manifest.graphs.items():
        for end, specs in (("in", graph.inputs), ("out", graph.outputs)):
            for spec in specs:
                emit(f"{name:<12}  {end:<3}  {spec}")
    for note in manifest.provenance.notes:
        emit(f"note      {note}")
    emit(
        f"parity    {parity.cases} cases within the rule; worst error {parity.worst_error:.2g} "
        f"(bound {parity.worst_bound:.2g}), torch's own {parity.torch_error:.2g}"
    )
    against = "" if is_factory(source) else f" --against {source}"
    emit(f"next      lstm-export verify {out}{against}")
