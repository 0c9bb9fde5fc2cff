"""`export_bundle`: a training run, or any module with recurrent layers, as a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest
from lstm_export.errors import OptionError
from lstm_export.exporting.bundles.module_bundle import export_module_bundle
from lstm_export.exporting.bundles.run_bundle import export_run
from lstm_export.exporting.options import GraphOptions
from lstm_export.exporting.target import Target
from lstm_export.files import refuse_existing_folder


def export_bundle(
    source: str | Path | nn.Module,
    path: str | Path,
    *,
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_axes: Mapping[str, Any] | None = None,
    target: Target = "portable",
    stream: bool | None = None,
    force: bool = False,
) -> Manifest:
    """Exports `source` as a bundle at `path`; returns its manifest.

    `source` is the folder of a training run; or a module, with `args` and `kwargs` and the rest as
    for `export_onnx`. A module whose outputs depend on the past alone, and on that through its
    recurrent states alone, gets a stream graph; a note tells why another has none. With `stream`
    True the latter is an ExportError, with False none gets one.

    Nothing is written unless the graphs give torch's numbers. Raises CheckpointError if a run
    cannot be read, OptionError for arguments that do not fit, ExportError or ParityError as
    `export_onnx` does, OutputError if `path` exists (without `force`) or cannot be written.
    """
    options = GraphOptions(input_names, output_names, dynamic_axes, target)
    of_module = (args, kwargs, input_names, output_names, dynamic_axes, stream)
    refuse_existing_folder(Path(path), force=force, marker=LAYOUT.manifest)
    if isinstance(source, nn.Module):
        if args is None and not kwargs:
            raise OptionError("a module needs args: an example of what it is called with")
        args = () if args is None else args
        return export_module_bundle(
            source, Path(path), args, kwargs, options, stream=stream, force=force
        )
    if not isinstance(source, str | Path):
        raise OptionError(f"source: expected a run folder or a module, got {type(source).__name__}")
    if any(value is not None for value in of_module):
        raise OptionError(
            "args, kwargs, names, dynamic_axes and stream are for modules; a run has its own"
        )
    return export_run(Path(source), Path(path), force=force, target=target)
