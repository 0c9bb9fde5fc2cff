"""The whole function of a TorchScript, or of a program of torch.export, as a bundle.

The file is executed: the user has asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_export.errors import OptionError
from lstm_export.importing.expect.agreement import require_agreement
from lstm_export.importing.expect.own import check_module
from lstm_export.importing.formats import pt2, torchscript
from lstm_export.importing.origin import weights_origin
from lstm_export.importing.programs.program import Program, program_module
from lstm_export.importing.read import read
from lstm_export.importing.scripted.against import Against
from lstm_export.importing.scripted.module import Scripted, scripted_module

if TYPE_CHECKING:
    from lstm_export.bundle.manifest import Manifest
    from lstm_export.exporting.target import Target

TAKEN_FOR = "its whole function, converted by executing it"


def export_script(
    source: str | Path,
    path: str | Path,
    *,
    shapes: Sequence[str] = (),
    expect: Sequence[Path] = (),
    atol: float | None = None,
    target: Target = "portable",
    stream: bool | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """The function of the archive `source` as a bundle at `path`; returns its manifest.

    `shapes` are examples of its inputs, as x=2,5,3; without them a program's own is taken, and for
    a script one is guessed, which `say` is told. Wherever the bundle is tried, the script or the
    program itself is asked too. `expect` and `atol` as for `export_weights`. Raises OptionError for
    a file that is neither and for examples that make no sense, CheckpointError for one that cannot
    be loaded or converted, ExportError, ParityError and OutputError as for a module.
    """
    from lstm_export.exporting.bundles.module_bundle import export_module_bundle
    from lstm_export.exporting.bundles.module_origin import ModuleOrigin
    from lstm_export.exporting.options import GraphOptions
    from lstm_export.exporting.source.example import with_example

    location, given = Path(source), None
    # What is damaged or hostile is found before torch opens it.
    form = read(source).format
    converted: Scripted | Program
    if form == torchscript.NAME:
        converted, kind = scripted_module(location), "script"
    elif form == pt2.NAME:
        converted, kind = program_module(location), "program"
        given = None if converted.args is None else (converted.args, converted.kwargs)
    else:
        raise OptionError(
            f"--run-torchscript: {source} is of format {form}, expected TorchScript or a pt2 "
            "program"
        )
    if shapes or given is None:
        example = with_example(str(source), converted.module, shapes)
        if example.guessed:
            say(f"no --example-shape: guessed {' '.join(example.lines)}")
        given = example.args, example.kwargs
    args, kwargs = given
    against = Against(converted, args, kwargs, kind)
    agreed: tuple[str, ...] = ()
    if expect:
        agreement = check_module(converted.module, args, kwargs, expect, atol=atol)
        require_agreement(agreement)
        agreed = agreement.said
    origin = ModuleOrigin(
        type(converted.module).__name__,
        "torchscript" if kind == "script" else "program",
        weights_origin(location, form, TAKEN_FOR),
        converted.notes,
        against,
        lambda: (*against.notes, *agreed),
    )
    return export_module_bundle(
        converted.module,
        Path(path),
        args,
        kwargs,
        GraphOptions(target=target),
        stream=stream,
        force=force,
        origin=origin,
    )
