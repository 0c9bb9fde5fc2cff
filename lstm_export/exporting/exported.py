"""A module's ONNX graph in memory, with all that was found out on the way."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor, nn

from lstm_export.contract import METADATA_KEY, Contract
from lstm_export.errors import ExportError
from lstm_export.exporting.audit.registration import unregistered
from lstm_export.exporting.audit.steadiness import unsteady
from lstm_export.exporting.graph.opset import set_ir_version, set_opset
from lstm_export.exporting.lower import lower, translated
from lstm_export.exporting.options import GraphOptions
from lstm_export.exporting.tracing.blame import blame, first_line
from lstm_export.exporting.tracing.call import Call, describe_call
from lstm_export.exporting.tracing.closed_axes import closed_axes
from lstm_export.exporting.tracing.open_axes import OpenAxes, open_axes
from lstm_export.exporting.tracing.results import named_outputs
from lstm_export.exporting.unchanged.kept import eval_mode, kept
from lstm_export.exporting.unchanged.precision import DtypeMode, in_dtype
from lstm_export.exporting.unchanged.quiet import no_chatter, no_warnings
from lstm_export.exporting.unchanged.single_thread import single_thread

# torch's exporter keeps process-wide state (warning filters, log levels, its own caches).
_export_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Exported:
    """The graph of a module for one way to call it, `model`; and as it was before recurrent layers
    and loops became operators, `translated`.
    """

    opened: OpenAxes
    translated: ir.Model
    model: ir.Model
    contract: Contract
    loops: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def call(self) -> Call:
        return self.opened.names.traced.call

    @property
    def lengths(self) -> frozenset[str]:
        return self.opened.names.traced.lengths


@dataclass(slots=True)
class Ready:
    """A module that is ready to be exported. `converted` tells that it is float32 for this alone;
    `notes` are for the report.
    """

    module: nn.Module
    converted: bool = False
    notes: list[str] = field(default_factory=list)


@contextlib.contextmanager
def ready(module: nn.Module) -> Iterator[Ready]:
    """Within the block `module` is in eval mode, in float32, and this thread's alone to export.

    Afterwards it is as it was.
    """
    state = Ready(module)
    notes = state.notes
    with contextlib.ExitStack() as stack:
        for block in (_export_lock, no_warnings(), no_chatter(), single_thread(), torch.no_grad()):
            stack.enter_context(block)
        stack.enter_context(kept(module))
        if stack.enter_context(eval_mode(module)):
            notes.append("the module was in training mode: it was exported in eval mode")
        if stack.enter_context(in_dtype(module, torch.float32)):
            notes.append("the module was not in float32 throughout: it was exported in float32")
            state.converted = True
        yield state


def exported(
    state: Ready, args: Any, kwargs: Mapping[str, Any] | None, options: GraphOptions
) -> Exported:
    """The module that is ready as a graph. Raises OptionError or ExportError."""
    module, notes = state.module, state.notes
    # What forward makes in float64 by name has to fit as well.
    with DtypeMode(torch.float32) if state.converted else contextlib.nullcontext():
        opened = _traced(module, args, kwargs, options, notes)
    names = opened.names
    if not names.traced.trimmed:
        notes.append(
            "padded results keep the length of the padded input, with which forward combines them: "
            "the longest sequence has to fill it, as in eager torch"
        )
    notes += closed_axes(opened)
    model = translated(names)
    before = model.clone()
    contract = Contract("module", names.spec)
    loops = finished(model, contract, options)
    return Exported(opened, before, model, contract, loops, tuple(notes))


def finished(model: ir.Model, contract: Contract, options: GraphOptions) -> tuple[str, ...]:
    """Makes of a translated graph the one that a file holds, in place, the contract inside it.

    Says in words what became of each time loop. Raises ExportError.
    """
    loops = lower(model, contract.graph, options.target)
    set_opset(model, options.opset_version)
    set_ir_version(model, options.ir_version)
    model.metadata_props[METADATA_KEY] = contract.to_json()
    return tuple(loops)


def _traced(
    module: nn.Module,
    args: Any,
    kwargs: Mapping[str, Any] | None,
    options: GraphOptions,
    notes: list[str],
) -> OpenAxes:
    call = describe_call(module, args, kwargs, input_names=options.input_names)
    example = _example_outputs(module, call, options)
    with kept(module):
        if strays := unregistered(module, call):
            raise ExportError("\n".join(strays))
        if reason := unsteady(module, call):
            raise ExportError(reason)
    try:
        return open_axes(module, call, example, options.dynamic_axes, options.shortest)
    except ExportError:
        integers = [leaf.name for leaf in call.inputs if leaf.kind in ("integer", "integers")]
        if not integers:
            raise
    call = describe_call(module, args, kwargs, input_names=options.input_names, integers_vary=False)
    opened = open_axes(module, call, example, options.dynamic_axes, options.shortest)
    notes.append(f"built in, because no input can stand for it: {', '.join(integers)}")
    return opened


def _example_outputs(module: nn.Module, call: Call, options: GraphOptions) -> dict[str, Tensor]:
    args, kwargs = call.bind([tensor.clone() for tensor in call.examples])
    taken = [leaf.name for leaf in call.inputs]
    with kept(module):
        try:
            results = module(*args, **kwargs)
        except Exception as error:
            place = blame(error)
            raise ExportError(
                f"{type(module).__name__} refuses its own example arguments: {first_line(error)}"
                + (f"\n  at {place}" if place else "")
            ) from error
        return named_outputs(results, options.output_names, taken=taken)
