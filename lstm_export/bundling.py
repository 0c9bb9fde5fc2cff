"""`export_bundle`: a training run, somebody's weights, or any module with recurrent layers."""

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
    layers: str | None = None,
    key: str | None = None,
    allow_unused: bool = False,
    expect: str | Path | Sequence[str | Path] = (),
    atol: float | None = None,
    target: Target = "portable",
    stream: bool | None = None,
    force: bool = False,
) -> Manifest:
    """Exports `source` as a bundle at `path`; returns its manifest.

    `source` is one of three:

    - the folder of a training run;
    - a file of weights, of any format that `lstm-export inspect` knows: a checkpoint, safetensors,
      npz, JSON, TorchScript, … . What its names and shapes cannot tell comes from `layers`, a layer
      string or the path of a TOML file; of several models in it `key` names one; tensors that
      nothing uses are an error unless `allow_unused`. `expect` are files of inputs and outputs (an
      npz, or two CSVs) that it has to give, within `atol` where that is given;
    - a module, with `args` and `kwargs` and the rest as for `export_onnx`.

    A model whose outputs depend on the past alone, and on that through its recurrent states alone,
    gets a stream graph; a note tells why another has none. With `stream` True the latter is an
    ExportError, with False none gets one.

    Nothing is written unless the graphs give torch's numbers. Raises CheckpointError if a run or
    file cannot be read or used, OptionError for arguments that do not fit, ExportError or
    ParityError as `export_onnx` does, OutputError if `path` exists (without `force`) or cannot be
    written.
    """
    options = GraphOptions(input_names, output_names, dynamic_axes, target)
    of_module = (args, kwargs, input_names, output_names, dynamic_axes)
    expected = [expect] if isinstance(expect, str | Path) else list(expect)
    of_weights = (layers, key, allow_unused or None, expected or None, atol)
    refuse_existing_folder(Path(path), force=force, marker=LAYOUT.manifest)
    if isinstance(source, nn.Module):
        if any(value is not None for value in of_weights):
            raise OptionError("layers, key, allow_unused, expect and atol are for files of weights")
        if args is None and not kwargs:
            raise OptionError("a module needs args: an example of what it is called with")
        args = () if args is None else args
        return export_module_bundle(
            source, Path(path), args, kwargs, options, stream=stream, force=force
        )
    if not isinstance(source, str | Path):
        raise OptionError(
            "source: expected a run folder, a file of weights or a module, got "
            f"{type(source).__name__}"
        )
    if any(value is not None for value in of_module):
        raise OptionError(
            "args, kwargs, names and dynamic_axes are for modules; a run or a file has its own"
        )
    if not Path(source).is_dir():
        from lstm_export.importing.bundle import export_weights

        return export_weights(
            source,
            path,
            key=key,
            layers=layers,
            allow_unused=allow_unused,
            expect=expected,
            atol=atol,
            target=target,
            stream=stream,
            force=force,
        )
    if stream is not None or any(value is not None for value in of_weights):
        raise OptionError(
            "stream, layers, key, allow_unused, expect and atol are not for a training run, which "
            "says itself what it is"
        )
    return export_run(Path(source), Path(path), force=force, target=target)
