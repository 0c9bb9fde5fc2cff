"""The opset and IR version of a graph, on request.

Graphs are made at opset 18. Another opset is reached operator by operator: what ONNX's own schemas
say did not change stays, the rest goes through `adapters`, in the bodies of Scan, Loop and If too.

The IR version is the version of the file format, not of the operators. ONNX's releases pair the
two, but neither the checker nor a runtime asks for these pairs: opset 22 under IR 8 is what a
runtime reads that knows newer operators better than newer files. What a file does need is a format
that has its types.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import onnx_ir as ir

from lstm_export.errors import ExportError, OptionError
from lstm_export.exporting.graph.adapters import DOWN, UP, Adapter, Recorder
from lstm_export.exporting.graph.tidy import prune, rename
from lstm_export.exporting.graph.walk import graphs

OPSETS = range(17, 24)
"""The opsets that can be asked for."""
MADE_AT = 18
OLDEST_IR = 4
"""The first format in which weights need not be inputs as well."""

_NEEDED_IR = {
    **dict.fromkeys(("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ"), 9),
    **dict.fromkeys(("INT4", "UINT4"), 10),
    "FLOAT4E2M1": 11,
}


def check_versions(opset_version: int, ir_version: int) -> None:
    """Raises OptionError if no file with these versions can be written."""
    if not _whole(opset_version) or opset_version not in OPSETS:
        raise OptionError(
            f"opset_version must be an integer from {OPSETS[0]} to {OPSETS[-1]}, "
            f"got {opset_version!r}"
        )
    if not _whole(ir_version) or not OLDEST_IR <= ir_version <= onnx.IR_VERSION:
        raise OptionError(
            f"ir_version must be an integer from {OLDEST_IR} to {onnx.IR_VERSION}, the newest "
            f"that onnx {onnx.__version__} knows, got {ir_version!r}"
        )


def set_opset(model: ir.Model, version: int) -> None:
    """Takes `model` from opset 18 to `version`, 17 to 23, in place, its meaning unchanged.

    Raises ExportError naming an operator that has no form
    at `version`; OptionError for a version out of range.
    """
    check_versions(version, OLDEST_IR)
    found = model.opset_imports.get("", MADE_AT)
    if found == version:
        return
    if found != MADE_AT or model.functions:
        what = "with functions of its own" if model.functions else f"at opset {found}"
        raise ExportError(f"expected a graph at opset {MADE_AT} without functions, got one {what}")
    for graph in list(graphs(model.graph)):
        for node in list(graph):
            if node.domain in ("", "ai.onnx"):
                _adapt(model.graph, graph, node, version)
    model.opset_imports[""] = version
    prune(model.graph)
    rename(model.graph)


def set_ir_version(model: ir.Model, version: int) -> None:
    """Sets the version of the file format. Raises OptionError if it is out of range, ExportError
    if a tensor of `model` has a type that came later."""
    check_versions(MADE_AT, version)
    for graph in graphs(model.graph):
        for value in _values(graph):
            name = None if value.dtype is None else value.dtype.name
            if (needed := _NEEDED_IR.get(name or "", 0)) > version:
                raise ExportError(
                    f"{value.name} is {name}, which needs ir_version {needed} to "
                    f"{onnx.IR_VERSION}; got {version}"
                )
    model.ir_version = version


def _adapt(main: ir.Graph, graph: ir.Graph, node: ir.Node, version: int) -> None:
    now = _since(node, MADE_AT)
    if now is None:
        raise ExportError(f"{node.op_type} is no operator of opset {MADE_AT}")
    if now == _since(node, version):
        return
    if version < MADE_AT and node.op_type not in DOWN:
        raise ExportError(
            f"{node.op_type} has no form in opset {version}: ask for opset_version={MADE_AT}"
        )
    recorder = Recorder(main)
    replaced = _adapter(node.op_type, version)(node, recorder)
    if replaced is not None:
        ir.convenience.replace_nodes_and_values(
            graph, node, [node], recorder.tape.nodes, node.outputs, replaced
        )


def _adapter(op_type: str, version: int) -> Adapter:
    if version < MADE_AT:
        return DOWN[op_type]
    for changed in range(MADE_AT + 1, version + 1):  # no operator is in UP twice
        if (op_type, changed) in UP:
            return UP[op_type, changed]
    return lambda node, to: None


def _since(node: ir.Node, opset: int) -> int | None:
    """The opset that last changed the node's operator, seen from `opset`; None if it has none."""
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except onnx.defs.SchemaError:
        return None
    return None if schema.deprecated else int(schema.since_version)


def _values(graph: ir.Graph) -> Iterator[ir.Value]:
    yield from graph.inputs
    yield from graph.initializers.values()
    for node in graph:
        yield from node.outputs


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
