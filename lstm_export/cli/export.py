"""`lstm-export export SOURCE --out BUNDLE`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_export.cli.console import (
    AllowUnused,
    Force,
    Json,
    Key,
    LayerString,
    emit,
    emit_json,
    say,
)
from lstm_export.cli.examples import write_programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lstm_export.bundle.manifest import Manifest


def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A training run, a file of weights, or model.py:name for a module.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The bundle to write, a folder.")],
    layers: LayerString = None,
    key: Key = None,
    allow_unused: AllowUnused = False,
    expect: Annotated[
        list[Path] | None,
        typer.Option(
            "--expect",
            metavar="FILE",
            help="Inputs and outputs that it has to give: an npz; or a CSV of each, given twice.",
        ),
    ] = None,
    atol: Annotated[
        float | None, typer.Option("--atol", help="A fixed tolerance for --expect.")
    ] = None,
    module: Annotated[
        str | None,
        typer.Option(
            "--module",
            metavar="FILE.py:NAME",
            help="Your own module for the weights. The file is run.",
        ),
    ] = None,
    kwargs: Annotated[
        str | None,
        typer.Option("--kwargs", metavar="JSON", help="What the module is made with, as JSON."),
    ] = None,
    run_torchscript: Annotated[
        bool,
        typer.Option(
            "--run-torchscript", help="Convert a TorchScript's or .pt2's function. The file is run."
        ),
    ] = False,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="The weights of model.py:name, any format.")
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
    examples: Annotated[
        bool,
        typer.Option(
            "--examples", help="Also write programs in Python, Node and C, to BUNDLE-examples."
        ),
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Export a training run, anybody's weights, or any module with recurrent layers, as a bundle.

    Weights are read from PyTorch checkpoints and whole pickled modules, safetensors, npz, JSON,
    TorchScript, pt2 and audio plug-in models, by their content; nothing in a file is run. `inspect`
    shows what would be understood. model.py:name is a function or class in a Python file of yours,
    which is run, that gives the module; without --example-shape its input is guessed.

    With --json: bundle, files (name to bytes and sha256), graphs (inputs and outputs with their
    axes), opset_version, ir_version, parity, weights (file, format, sha256, taken_for; null for
    other sources), notes, examples (the programs' paths).
    """
    from dataclasses import asdict

    from lstm_export.errors import OptionError

    given = {
        "--layers": layers,
        "--key": key,
        "--allow-unused": allow_unused or None,
        "--expect": expect or None,
        "--atol": atol,
        "--module": module,
        "--kwargs": kwargs,
        "--run-torchscript": run_torchscript or None,
        "--weights": weights,
        "--example-shape": example_shape or None,
        "--stream": stream,
    }
    kind = _kind(source, module, run_torchscript)
    _refuse_others(kind, source, [name for name, value in given.items() if value is not None])
    if atol is not None and not expect:
        raise OptionError("--atol is the tolerance of --expect, which is not given")
    _need_exporting()
    programs = _examples_folder(out, force=force) if examples else None
    from lstm_export.bundling import export_bundle

    common: dict[str, Any] = {"target": target, "force": force}
    if kind in (_MODULE, _INTO_MODULE):
        from lstm_export.importing.own_module import OwnModule, export_own_module

        file = weights if module is None else Path(source)
        options = _keywords(kwargs)
        own = OwnModule(
            module or source,
            options,
            example_shape or (),
            file,
            key,
            allow_unused,
            expect or (),
            atol,
        )
        manifest = export_own_module(own, out, stream=stream, say=say, **common)
    elif kind == _SCRIPT:
        from lstm_export.importing.scripted.export import export_script

        manifest = export_script(
            source,
            out,
            shapes=example_shape or (),
            expect=expect or (),
            atol=atol,
            stream=stream,
            say=say,
            **common,
        )
    elif kind == _WEIGHTS:
        manifest = export_bundle(
            source,
            out,
            layers=layers,
            key=key,
            allow_unused=allow_unused,
            expect=expect or (),
            atol=atol,
            stream=stream,
            **common,
        )
    else:
        manifest = export_bundle(source, out, **common)
    written = () if programs is None else write_programs(out, programs, force=force)
    if json:
        emit_json(
            {
                "bundle": str(out),
                "files": {name: asdict(entry) for name, entry in manifest.files.items()},
                "graphs": {name: asdict(graph) for name, graph in manifest.graphs.items()},
                "opset_version": manifest.opset_version,
                "ir_version": manifest.ir_version,
                "parity": asdict(manifest.parity) if manifest.parity else None,
                "weights": asdict(origin) if (origin := manifest.provenance.weights) else None,
                "notes": list(manifest.provenance.notes),
                "examples": [str(path) for path in written],
            }
        )
        return
    for line in _lines(out, manifest):
        emit(line)
    if programs is not None:
        emit(f"examples  {programs}: {' '.join(path.name for path in written)}")
    emit(f"next      lstm-export verify {out}{f' --against {source}' if kind == _RUN else ''}")


_RUN, _WEIGHTS = "a training run", "a file of weights"
_MODULE, _INTO_MODULE = "a module, as model.py:name", "a file of weights with --module"
_SCRIPT = "a script or program with --run-torchscript"
_JUDGED = ("--expect", "--atol", "--stream")
_CALLED = ("--kwargs", "--example-shape", "--key", "--allow-unused", *_JUDGED)
_TAKES = {
    _RUN: (),
    _WEIGHTS: ("--layers", "--key", "--allow-unused", *_JUDGED),
    _MODULE: ("--weights", *_CALLED),
    _INTO_MODULE: ("--module", *_CALLED),
    _SCRIPT: ("--run-torchscript", "--example-shape", *_JUDGED),
}


def _kind(source: str, module: str | None, run_torchscript: bool) -> str:
    """What the source is, by how it is written and what is there."""
    from lstm_export.exporting.source.spelling import is_factory

    if is_factory(source):
        return _MODULE
    if Path(source).is_dir():
        return _RUN
    if run_torchscript:
        return _SCRIPT
    return _WEIGHTS if module is None else _INTO_MODULE


def _refuse_others(kind: str, source: str, given: Sequence[str]) -> None:
    """Raises OptionError for an option that the kind of source does not take."""
    from lstm_export.errors import OptionError

    for name in given:
        if name not in _TAKES[kind]:
            fitting = " or ".join(each for each, names in _TAKES.items() if name in names)
            raise OptionError(f"{name} is for {fitting}; {source} is {kind}")


def _keywords(text: str | None) -> dict[str, Any]:
    """--kwargs as a dict; raises OptionError if it is no JSON object."""
    from json import loads

    from lstm_export.errors import OptionError

    if text is None:
        return {}
    try:
        value = loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(
            f"--kwargs: expected a JSON object, '{{\"hidden\": 30}}', got {text}: {error}"
        ) from None
    if not isinstance(value, dict):
        raise OptionError(f"--kwargs: expected a JSON object, got {text}")
    return value


def _examples_folder(out: Path, *, force: bool) -> Path:
    """Where the programs go: beside the bundle, for they are there to be edited.

    Raises OutputError, before anything is exported, where something else is there.
    """
    from lstm_export.files import refuse_existing_folder

    folder = out.parent / f"{out.resolve().name}-examples"
    refuse_existing_folder(folder, force=force, marker="model.py")
    return folder


def _need_exporting() -> None:
    from lstm_export.errors import MissingExtraError

    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "torch", "export", "exporting") from None


def _lines(out: Path, manifest: Manifest) -> Iterator[str]:
    parity, weights = manifest.parity, manifest.provenance.weights
    assert parity is not None
    yield f"bundle    {out}"
    for name, entry in manifest.files.items():
        yield f"          {name:<12} {entry.bytes:>9,} bytes"
    for name, graph in manifest.graphs.items():
        for end, specs in (("in", graph.inputs), ("out", graph.outputs)):
            for spec in specs:
                yield f"{name:<12}  {end:<3}  {spec}"
    if weights is not None:
        yield f"weights   {weights.file} ({weights.format}), taken for {weights.taken_for}"
    for note in manifest.provenance.notes:
        yield f"note      {note}"
    yield (
        f"parity    {parity.cases} cases within the rule; worst error {parity.worst_error:.2g} "
        f"(bound {parity.worst_bound:.2g}), torch's own {parity.torch_error:.2g}"
    )
