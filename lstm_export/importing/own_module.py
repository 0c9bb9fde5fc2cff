"""A module of the user's own code as a bundle, with weights from any file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_export.importing.expect.agreement import require_agreement
from lstm_export.importing.expect.own import check_module
from lstm_export.importing.into_module import load_into
from lstm_export.importing.origin import weights_origin

if TYPE_CHECKING:
    from lstm_export.bundle.manifest import Manifest
    from lstm_export.exporting.target import Target


@dataclass(frozen=True, slots=True)
class OwnModule:
    """`source` is file.py:name, called with `options`; `shapes` give examples of its inputs, as
    x=2,5,3. The weights are those that its code gives it, or those in the file `weights`.
    """

    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    shapes: Sequence[str] = ()
    weights: Path | None = None
    key: str | None = None
    allow_unused: bool = False
    expect: Sequence[Path] = ()
    """Files of inputs and outputs that the module has to give, as for `export_weights`."""
    atol: float | None = None


def export_own_module(
    own: OwnModule,
    path: str | Path,
    *,
    target: Target = "portable",
    stream: bool | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """The module as a bundle at `path`; returns its manifest. The code of `own.source` is run.

    `say` is told what was guessed. Raises what `load_example`, `load_into` and `export_onnx` raise,
    and OutputError.
    """
    from lstm_export.exporting.bundles.module_bundle import export_module_bundle
    from lstm_export.exporting.bundles.module_origin import ModuleOrigin
    from lstm_export.exporting.options import GraphOptions
    from lstm_export.exporting.source.example import load_example

    example = load_example(own.source, own.shapes, own.options)
    name = type(example.module).__name__
    if own.weights is None:
        say("no --weights: the module has the weights that its code gave it")
        origin = ModuleOrigin(name, found=lambda: agreed)
    else:
        loaded = load_into(example.module, own.weights, key=own.key, allow_unused=own.allow_unused)
        weights = weights_origin(own.weights, loaded.format, own.source)
        origin = ModuleOrigin(name, "checkpoint", weights, loaded.notes, found=lambda: agreed)
    agreed: tuple[str, ...] = ()
    if own.expect:
        agreement = check_module(
            example.module, example.args, example.kwargs, own.expect, atol=own.atol
        )
        require_agreement(agreement)
        agreed = agreement.said
    if example.guessed:
        say(f"no --example-shape: guessed {' '.join(example.lines)}")
    return export_module_bundle(
        example.module,
        Path(path),
        example.args,
        example.kwargs,
        GraphOptions(target=target),
        stream=stream,
        force=force,
        origin=origin,
    )
