"""A torch module with known inputs and outputs as an ONNX file.

torch.export traces the module with its recurrent layers as opaque nodes; torch.onnx translates
the rest; lowering, tidying and the checks are ours.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx
import onnx_ir as ir
import torch
from torch import Tensor, nn
from torch.fx.experimental import _config as shape_settings

from lstm_export.contract import METADATA_KEY, Contract, GraphSpec
from lstm_export.errors import ExportError
from lstm_export.exporting.capture.recurrent import recurrent_capture
from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.lowering.recurrent import lower_recurrent
from lstm_export.exporting.target import Target

OPSET_VERSION = 18
IR_VERSION = 8

# torch's exporter keeps process-wide state (warning filters, log levels, its own caches).
_export_lock = threading.Lock()


def export_graph(
    module: nn.Module,
    args: Sequence[Tensor],
    contract: Contract,
    *,
    shortest: Mapping[str, int] | None = None,
    target: Target = "portable",
) -> bytes:
    """`module` traced on `args` as ONNX, its tensors named and its axes dynamic as `contract` says.

    `shortest` gives named axes their smallest length (default 1). The file carries the contract.
    Raises ExportError if the module cannot be traced or an axis that should vary does not.
    """
    axes = {
        name: torch.export.Dim(name, min=(shortest or {}).get(name, 1))
        for spec in contract.graph.inputs
        for name in spec.axes
        if isinstance(name, str)
    }
    dims = tuple(
        {i: axes[name] for i, name in enumerate(spec.axes) if isinstance(name, str)}
        for spec in contract.graph.inputs
    )
    with _export_lock, torch.no_grad(), _quiet():
        program = _trace(module, tuple(args), dims)
        translated = torch.onnx.export(
            program,
            (),
            dynamo=True,
            opset_version=OPSET_VERSION,
            dynamic_shapes=_nested(module, dims),
            input_names=[spec.name for spec in contract.graph.inputs],
            output_names=[spec.name for spec in contract.graph.outputs],
            optimize=True,
            verbose=False,
        )
    assert translated is not None
    model = translated.model
    lower_recurrent(model, target)
    tidy(model)
    _check_ends(model, contract.graph)
    model.ir_version = IR_VERSION
    model.metadata_props[METADATA_KEY] = contract.to_json()
    return _serialise(model)


def _trace(module: nn.Module, args: tuple[Tensor, ...], dims: tuple[Any, ...]) -> Any:
    if module.training:
        raise ExportError("the module is in training mode: call .eval() before exporting it")
    # Without it torch guards that no length is ever 1, and a short input leads to such.
    oblivious = shape_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with recurrent_capture(module), oblivious:
        try:
            shapes = _nested(module, dims)
            return torch.export.export(module, args, dynamic_shapes=shapes, strict=False)
        except ExportError:
            raise
        except Exception as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else ""
            raise ExportError(
                f"{type(module).__name__} cannot be traced with dynamic axes "
                f"({type(error).__name__}): {first}"
            ) from error


def _nested(module: nn.Module, dims: tuple[Any, ...]) -> tuple[Any, ...]:
    """`dims` as torch.export wants them: a *args parameter is one tuple."""
    code = module.forward.__func__.__code__ if hasattr(module.forward, "__func__") else None
    if code is None or not code.co_flags & 0x04:  # no *args
        return dims
    named = code.co_argcount - 1
    return (*dims[:named], dims[named:]) if dims[named:] else dims


def _check_ends(model: ir.Model, graph: GraphSpec) -> None:
    """The graph's inputs and outputs are those of the contract, named axes and all."""
    found = [*model.graph.inputs, *model.graph.outputs]
    for value, spec in zip(found, [*graph.inputs, *graph.outputs], strict=True):
        shape = [dim if isinstance(dim, int) else dim.value for dim in value.shape or ()]
        if value.name != spec.name or tuple(shape) != spec.axes:
            raise ExportError(
                f"expected {spec}, but the traced graph has {value.name} "
                f"({', '.join(str(dim) for dim in shape)}): an axis was baked in or renamed"
            )


def _serialise(model: ir.Model) -> bytes:
    proto = ir.to_proto(model)
    try:
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:
        raise ExportError(f"the exported graph is not valid ONNX: {error}") from error
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's own chatter is not the user's: torchvision hints, pytree deprecations."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
