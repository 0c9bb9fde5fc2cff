"""`export_onnx`: any module with recurrent layers as one ONNX file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from lstm_export.errors import ParityError
from lstm_export.exporting.exported import Exported, exported, ready
from lstm_export.exporting.graph.files import written
from lstm_export.exporting.options import IR_VERSION, OPSET_VERSION, GraphOptions
from lstm_export.exporting.report import ExportReport, report
from lstm_export.exporting.target import Target
from lstm_export.exporting.verify.judge import Judge
from lstm_export.exporting.verify.verification import Verification
from lstm_export.exporting.verify.verify import verify_graph
from lstm_export.files import refuse_existing


def export_onnx(
    module: nn.Module,
    args: Any,
    path: str | Path,
    *,
    kwargs: Mapping[str, Any] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_axes: Mapping[str, Any] | None = None,
    target: Target = "portable",
    opset_version: int = OPSET_VERSION,
    ir_version: int = IR_VERSION,
    external_data: bool = False,
    verify: bool = True,
    atol: float | None = None,
    rtol: float | None = None,
) -> ExportReport:
    """Writes `module`, as `module(*args, **kwargs)` calls it, to the ONNX file at `path`.

    `args` may be a tensor or a tuple, with tuples, lists and dicts of tensors nested in it. Inputs
    are named for forward's arguments, outputs for a dict's keys, else `output` or `output_0`, … .
    Every axis that the module lets vary is dynamic: `batch`, `sequence_length`, and for a second
    length `sequence_length_1`. With `dynamic_axes`, as {"x": {0: "batch", 1: "time"}}, those named
    must be, and others are only where they have to equal one of them.

    `target="portable"` gives the graph that every runtime computes rightly or refuses when loading;
    "onnxruntime" may use what only that runtime does. `external_data` puts the weights into
    `path` + ".data" beside the file. With `verify`, the file is run in onnxruntime at other shapes
    against the module under the parity rule, or within `atol` and `rtol`.

    The module is exported in eval mode and float32, and comes back exactly as it was. A file that
    exists is replaced, by a whole file or not at all.

    Raises OptionError for arguments that do not fit, ExportError if the module cannot be exported
    so that its axes and numbers hold, ParityError if the file's numbers are not the module's,
    OutputError if the file cannot be written; then no file is left.
    """
    started = time.perf_counter()
    path = Path(path)
    refuse_existing(path, force=True)
    options = GraphOptions(
        input_names, output_names, dynamic_axes, target, opset_version, ir_version
    )
    with ready(module) as state:
        result = exported(state, args, kwargs, options)
        with written(result.model, path, external_data=external_data) as files:
            verification = None
            if verify:
                verification = verified(module, result, files.model, atol=atol, rtol=rtol)
    return report(
        result,
        options,
        files,
        verification=verification,
        seconds=time.perf_counter() - started,
    )


def verified(
    module: nn.Module,
    result: Exported,
    model: bytes | Path,
    *,
    atol: float | None = None,
    rtol: float | None = None,
    judge: Judge | None = None,
) -> Verification:
    """The verification of an exported graph; raises ParityError with all that is wrong."""
    found = verify_graph(
        module,
        result.call,
        result.contract.graph,
        model,
        lengths=result.lengths,
        steady=True,
        atol=atol,
        rtol=rtol,
        judge=judge,
    )
    if not found.passed:
        raise ParityError(
            f"the file does not give the numbers of {type(module).__name__}, so it was not "
            "written:\n" + "\n".join(found.problems)
        )
    return found
