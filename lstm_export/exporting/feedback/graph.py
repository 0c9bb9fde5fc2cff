"""A one-step forecaster fed its own forecasts, as one graph.

Only the recurrent layers have to wait for the forecast before; all else is done for every step at
once, before or after. What comes back is never a raw row: with K = `window.difference`, the next
difference of a target is x̂[t+1] − x[t+1−K] = p, the forecast difference itself, scaled as the
head gives it where targets and features are scaled alike. So a step is the layers and the head,
and the raw values are added up at the end::

    h[0]   = the layers' last output on the history
    z[i]   = what the head makes of h[i], beside the scaled known features of that row
    h[i+1] = the layers' output on z[i], carrying on
    p      = head(h[0 … horizon−1]) · target_scale + target_offset
    x̂[i]   = p[i] + x̂[i−K]                      where x̂ is the history before

The step after the last forecast is computed, too, and thrown away: no loop ever has length 0,
which onnxruntime's Scan and LSTM refuse.
"""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.contract import METADATA_KEY, Contract, TensorSpec
from lstm_export.exporting.feedback.rows import Rows
from lstm_export.exporting.feedback.steps import Steps
from lstm_export.exporting.graph.serialise import serialise
from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.lowering.builder import Nodes
from lstm_export.exporting.lowering.idle_scans import read_steps
from lstm_export.exporting.options import IR_VERSION, OPSET_VERSION
from lstm_export.nn.forecaster import Forecaster

_DTYPES = {"float32": ir.DataType.FLOAT, "int64": ir.DataType.INT64}


def feedback_graph(model: Forecaster, contract: Contract) -> bytes:
    """The ONNX file of `model` many steps ahead, its ends named as in `contract`.

    `model` predicts one step of targets that are among its features, in one direction. Raises
    ExportError if the graph is not valid.
    """
    spec = contract.graph
    given = {tensor.name: _input(tensor) for tensor in spec.inputs}
    graph = ir.Graph(
        list(given.values()), [], nodes=[], opset_imports={"": OPSET_VERSION}, name="model"
    )
    nodes = Nodes(graph)
    horizon = given["horizon"]
    rows = Rows(nodes, model.forecast, given["x"])
    known = rows.known(given["future"], horizon) if "future" in given else None
    steps = Steps(nodes, model)
    output = rows.raw(steps.run(rows.scaled(), known, horizon), horizon)
    (end,) = spec.outputs
    output.name, output.dtype = end.name, _DTYPES[end.dtype]
    output.shape = ir.Shape(list(end.axes))
    graph.outputs.append(output)
    graph.extend(nodes.tape.nodes)
    made = ir.Model(graph, ir_version=IR_VERSION)
    read_steps(made)
    tidy(made)
    made.metadata_props[METADATA_KEY] = contract.to_json()
    return serialise(made)


def _input(tensor: TensorSpec) -> ir.Value:
    return ir.Value(
        name=tensor.name,
        shape=ir.Shape(list(tensor.axes)),
        type=ir.TensorType(_DTYPES[tensor.dtype]),
    )
