"""From a traced program to an ONNX graph for a target, its ends named and its axes too."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from lstm_export.contract import GraphSpec, TensorSpec
from lstm_export.errors import ExportError
from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.lowering.attention_weights import read_twice
from lstm_export.exporting.lowering.gelu import plain_gelu
from lstm_export.exporting.lowering.idle_scans import read_steps
from lstm_export.exporting.lowering.recognise.scans import recognise_cells
from lstm_export.exporting.lowering.recurrent import lower_recurrent
from lstm_export.exporting.target import Target
from lstm_export.exporting.tracing.axes import AxisNames
from lstm_export.exporting.tracing.blame import first_line
from lstm_export.exporting.tracing.flat_module import PREFIX
from lstm_export.exporting.translate import translate


def translated(names: AxisNames) -> ir.Model:
    """The graph of a traced program, recurrent layers and loops still single nodes.

    Raises ExportError if ONNX cannot express it.
    """
    spec = names.spec
    try:
        model = translate(
            names.traced.program,
            input_names=[tensor.name for tensor in spec.inputs],
            output_names=[tensor.name for tensor in spec.outputs],
        )
    except Exception as error:
        raise ExportError(f"torch.onnx cannot translate the module: {_cause(error)}") from error
    _name_parameters(model.graph)
    return model


def lower(model: ir.Model, spec: GraphSpec, target: Target) -> list[str]:
    """Puts `model` into ONNX's own operators, in place, its ends as `spec` has them.

    Says in words what became of each time loop. Raises ExportError if the ends are others.
    """
    loops = recognise_cells(model, target)
    lower_recurrent(model, target)
    if target == "portable":
        read_steps(model)
        read_twice(model)
        plain_gelu(model)
    tidy(model)
    _name_ends(model.graph.inputs, spec.inputs)
    _name_ends(model.graph.outputs, spec.outputs)
    return loops


def _cause(error: BaseException) -> str:
    """The innermost reason: torch.onnx wraps it in pages about itself."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return first_line(error)


def _name_parameters(graph: ir.Graph) -> None:
    """Parameters are called as in the user's module."""
    for name in [name for name in graph.initializers if name.startswith(PREFIX)]:
        value = graph.initializers.pop(name)
        value.name = name.removeprefix(PREFIX)
        graph.register_initializer(value)


def _name_ends(values: Sequence[ir.Value], specs: tuple[TensorSpec, ...]) -> None:
    if len(values) != len(specs):
        raise ExportError(
            f"expected {', '.join(spec.name for spec in specs)} at this end of the graph, "
            f"got {len(values)} tensors: {', '.join(str(value.name) for value in values)}"
        )
    for value, spec in zip(values, specs, strict=True):
        dtype = None if value.dtype is None else value.dtype.numpy().name
        if dtype != spec.dtype:
            raise ExportError(f"{spec}: the graph has it as {dtype}")
        value.name = spec.name
        value.shape = ir.Shape(list(spec.axes))
