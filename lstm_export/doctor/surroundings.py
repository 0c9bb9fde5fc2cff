"""Constructs of what surrounds recurrent layers: loops, operators, and a graph's own ends."""

from __future__ import annotations

from collections.abc import Mapping

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


def stored_matmul(model: OnnxFile) -> Places:
    """MatMuls whose second factor is stored with three axes or more, to be repeated for a batch."""
    stacks = {name for name, tensor in constants_of(model).items() if len(tensor.dims) > 2}
    return tuple(label(node) for node in nodes(model, "MatMul") if node.inputs[1] in stacks)


def computed_pad(model: OnnxFile) -> Places:
    """Pads by sizes that nodes compute."""
    stored = constants_of(model)
    return tuple(
        label(node)
        for node in nodes(model, "Pad")
        if len(node.inputs) > 1 and node.inputs[1] not in stored
    )


def erf_gelu(model: OnnxFile) -> Places:
    """x · (½ · (1 + erf(x / √2))), in this order: the Erf of each."""
    makers, stored = _makers(model), constants_of(model)
    found = []
    for node in nodes(model, "Mul"):
        added = [_made(makers, name, "Add") for name in node.inputs]
        erf = [_made(makers, name, "Erf") for add in added if add for name in add.inputs]
        divided = [one for one in erf if one and _made(makers, one.inputs[0], "Div")]
        if divided and any(name in stored for name in node.inputs):
            found.append(label(divided[0]))
    return tuple(found)


def attention(model: OnnxFile) -> Places:
    """A Softmax between two MatMuls: of queries with keys, and of weights with values."""
    makers = _makers(model)

    def scored(name: str, depth: int = 4) -> bool:
        maker = makers.get(name)
        if maker is None or depth == 0:
            return False
        if maker.op_type == "MatMul":
            # Of two computed factors: a stored one is a layer, not keys.
            return all(factor in makers for factor in maker.inputs)
        scales = maker.op_type in ("Add", "Div", "Mul", "Sub", "Where")
        return scales and any(scored(each, depth - 1) for each in maker.inputs)

    return tuple(
        label(softmax)
        for node in nodes(model, "MatMul")
        if (softmax := _made(makers, node.inputs[0], "Softmax")) and scored(softmax.inputs[0])
    )


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


def _makers(model: OnnxFile) -> dict[str, OnnxNode]:
    """What makes each value, stored ones left out."""
    found = (node for node in nodes(model) if node.op_type != "Constant")
    return {name: node for node in found for name in node.outputs if name}


def _made(makers: Mapping[str, OnnxNode], name: str, op_type: str) -> OnnxNode | None:
    """The node that makes `name`, if it is one of this type."""
    maker = makers.get(name)
    return maker if maker is not None and maker.op_type == op_type else None
