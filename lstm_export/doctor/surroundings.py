"""Constructs of what surrounds recurrent layers: loops, operators, and a graph's own ends."""

from __future__ import annotations

from lstm_export.bundle.onnx_file import OnnxFile
from lstm_export.bundle.onnx_graph import UNKNOWN_RANK, OnnxGraph, OnnxNode
from lstm_export.contract import BATCH, FUTURE_LENGTH
from lstm_export.doctor.constructs import Places, any_recurrent, constants_of, label, nodes, where


def unknown_rank(model: OnnxFile) -> Places:
    """Inputs and outputs whose rank the file does not say: their names."""
    ends = (*model.graph.inputs, *model.graph.outputs)
    return tuple(spec.name for spec in ends if spec.axes == UNKNOWN_RANK)


@where("Loop")
def unnamed_loop_output(node: OnnxNode) -> bool:
    """An output of a Loop left out."""
    return not all(node.outputs)


@where("Scan")
def unnamed_scan_output(node: OnnxNode) -> bool:
    """An output of a Scan left out."""
    return not all(node.outputs)


@where("Scan")
def idle_scan(node: OnnxNode) -> bool:
    """A Scan whose body leaves a scanned input out: it is there to count the steps."""
    body, count = node.attributes.get("body"), node.attributes.get("num_scan_inputs", 0)
    if not isinstance(body, OnnxGraph) or not count:
        return False
    used = {name for graph in (body, *body.subgraphs()) for n in graph.nodes for name in n.inputs}
    return any(spec.name not in used for spec in body.inputs[-count:])


def fed_slice(model: OnnxFile) -> Places:
    """Slices whose start or end is an input of the graph, perhaps with another shape or type."""
    fed = {spec.name for spec in model.graph.inputs if spec.dtype.startswith("int")}
    for node in model.graph.nodes:
        if node.op_type in ("Unsqueeze", "Squeeze", "Reshape", "Cast", "Identity"):
            fed.update(node.outputs if node.inputs[0] in fed else ())
    return tuple(label(node) for node in nodes(model, "Slice") if fed & {*node.inputs[1:3]})


def vector_matmul(model: OnnxFile) -> Places:
    """MatMuls whose second factor is a stored vector."""
    vectors = {name for name, tensor in constants_of(model).items() if len(tensor.dims) == 1}
    return tuple(label(node) for node in nodes(model, "MatMul") if node.inputs[1] in vectors)


def scalar_input(model: OnnxFile) -> Places:
    """Inputs of the graph without axes: their names."""
    return tuple(spec.name for spec in model.graph.inputs if spec.axes == ())


def batch_not_first(model: OnnxFile) -> Places:
    """Inputs and outputs whose batch is not their first axis: their names."""
    ends = (*model.graph.inputs, *model.graph.outputs)
    return tuple(spec.name for spec in ends if BATCH in spec.axes[1:])


def fed_batch(model: OnnxFile) -> Places:
    """Inputs with a batch of any size, of a graph with a recurrent node: their names."""
    fed = tuple(spec.name for spec in model.graph.inputs if BATCH in spec.axes)
    return fed if any_recurrent(model) else ()


def steps_ahead(model: OnnxFile) -> Places:
    """The input with features known beforehand of a forecaster's graph: its name."""
    return tuple(spec.name for spec in model.graph.inputs if FUTURE_LENGTH in spec.axes)


@where("ConstantOfShape")
def zeros_without_dtype(node: OnnxNode) -> bool:
    """ConstantOfShape without a value: float32 zeros, by the standard."""
    return "value" not in node.attributes
