"""Time loops whose step is a cell, as the fused operators; other loops stay what they are."""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.cells import NoCellError
from lstm_export.exporting.lowering.recognise.constants import Constants
from lstm_export.exporting.lowering.recognise.lifting import NotLiftableError
from lstm_export.exporting.lowering.recognise.loop import ScanLoop
from lstm_export.exporting.lowering.recognise.recognition import Recognition
from lstm_export.exporting.target import Target


def recognise_cells(model: ir.Model, target: Target) -> list[str]:
    """Replaces each Scan of `model` whose step is made of cells, in place.

    Says in words, one line per Scan, what it became, or why it stayed.
    """
    constants = Constants()
    report: list[str] = []
    for node in list(ir.traversal.RecursiveGraphIterator(model.graph)):
        if (node.domain, node.op_type) == ("", "Scan"):
            became = _recognised(model.graph, node, constants, target)
            report.append(f"loop {len(report) + 1}: {became}")
    return report


def _recognised(graph: ir.Graph, node: ir.Node, constants: Constants, target: Target) -> str:
    loop = ScanLoop.read(node)
    if loop is None:
        return "stays a Scan: it does not run forwards along leading axes"
    loop.merge_equal_states(constants)
    recognition = Recognition(graph, loop, constants, target)
    try:
        outputs = recognition.run()
    except (NoCellError, NotLiftableError) as error:
        recognition.forget()
        return f"stays a Scan: {error}"
    recognition.replace(outputs)
    return ", ".join(recognition.found) or "computed for all steps at once"
