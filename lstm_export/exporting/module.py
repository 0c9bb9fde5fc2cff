"""A module whose inputs, outputs and axes are known beforehand as an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lstm_export.contract import METADATA_KEY, Contract, TensorSpec
from lstm_export.errors import ExportError
from lstm_export.exporting.exported import exported, ready
from lstm_export.exporting.graph.serialise import serialise
from lstm_export.exporting.options import GraphOptions
from lstm_export.exporting.target import Target


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
    Raises ExportError if the module cannot be traced or the graph does not come out as promised.
    """
    graph = contract.graph
    options = GraphOptions(
        input_names=[spec.name for spec in graph.inputs],
        output_names=[spec.name for spec in graph.outputs],
        dynamic_axes={spec.name: _named(spec) for spec in (*graph.inputs, *graph.outputs)},
        target=target,
        shortest={
            spec.name: {axis: (shortest or {}).get(name, 1) for axis, name in _named(spec).items()}
            for spec in graph.inputs
        },
    )
    with ready(module) as state:
        result = exported(state, tuple(args), None, options)
    found = result.contract.graph
    for got, spec in zip(
        (*found.inputs, *found.outputs), (*graph.inputs, *graph.outputs), strict=True
    ):
        if got != spec:
            raise ExportError(f"expected {spec}, but the traced graph has {got}: an axis was baked")
    result.model.metadata_props[METADATA_KEY] = contract.to_json()
    return serialise(result.model)


def _named(spec: TensorSpec) -> dict[int, str]:
    return {axis: name for axis, name in enumerate(spec.axes) if isinstance(name, str)}
