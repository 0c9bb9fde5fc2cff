"""The recurrent nodes of a graph: which there are, and whether the oracle has their equations."""

from __future__ import annotations

from dataclasses import dataclass

from lstm_export.bundle.onnx_file import OnnxFile
from lstm_export.bundle.onnx_graph import OnnxNode
from lstm_export.contract import Cell
from lstm_export.errors import BundleError

_CELLS: dict[str, Cell] = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}
_QUANTISED = ("DynamicQuantizeLSTM", "QLinearLSTM")
_LOOPS = ("Scan", "Loop")
_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
_OUTPUTS = ("Y", "Y_h", "Y_c")
_ACTIVATIONS = {"lstm": ("sigmoid", "tanh", "tanh"), "gru": ("sigmoid", "tanh"), "rnn": ("tanh",)}


@dataclass(frozen=True, slots=True)
class RecurrentNode:
    """An LSTM, GRU or RNN of ONNX. `inputs` and `outputs` are the tensors' names by their role."""

    number: int
    """From 1, in the order of the graph."""
    position: int
    """Among all nodes of the graph."""
    name: str
    cell: Cell
    inputs: dict[str, str]
    outputs: dict[str, str]
    backward: tuple[bool, ...]
    """For each direction, whether it reads the sequence from its end."""
    turned: bool
    """Whether the sequence enters with its end first: padded batches, whose rows end at different
    steps, are turned round before a layer of ours that reads backwards."""
    hidden_size: int
    reset_after: bool
    """Of a GRU: whether the reset gate is applied after the product with h."""
    relu: bool
    """Of an RNN: whether its activation is ReLU in tanh's place."""


def recurrent_nodes(model: OnnxFile, where: str) -> tuple[RecurrentNode, ...]:
    """The recurrent nodes of the graph itself, in its order.

    Raises BundleError, saying what is there instead, if there is none, and for one that follows
    other equations than the oracle's.
    """
    found = [
        (position, node)
        for position, node in enumerate(model.graph.nodes)
        if node.op_type in _CELLS and node.domain in ("", "ai.onnx")
    ]
    if not found:
        raise BundleError(_nothing(model, where))
    return tuple(
        _node(number, position, node, where)
        for number, (position, node) in enumerate(found, start=1)
    )


def _nothing(model: OnnxFile, where: str) -> str:
    kinds = {node.op_type for graph in model.graphs() for node in graph.nodes}
    begin = f"{where} has no LSTM, GRU or RNN operator whose gates could be told: "
    if quantised := sorted(kinds & set(_QUANTISED)):
        return begin + f"its weights are quantised ({', '.join(quantised)}); take the model before"
    if kinds & set(_CELLS):
        return begin + "those that it has stand inside a loop or a function of their own"
    if loops := sorted(kinds & set(_LOOPS)):
        return begin + f"its recurrence is written out as {' and '.join(loops)}"
    return begin + "it does not seem to be a recurrent network"


def _node(number: int, position: int, node: OnnxNode, where: str) -> RecurrentNode:
    cell = _CELLS[node.op_type]
    name = node.name or next(filter(None, node.outputs), "")
    inputs = {role: tensor for role, tensor in zip(_INPUTS, node.inputs, strict=False) if tensor}
    attributes = node.attributes
    direction = attributes.get("direction", "forward")
    backward = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    if direction not in backward:
        raise BundleError(f"{where}: {node.op_type} {name!r} has the direction {direction!r}")
    own = _ACTIVATIONS[cell] * len(backward[direction])
    activations = tuple(str(a).lower() for a in attributes.get("activations", own)) or own
    relu = cell == "rnn" and set(activations) == {"relu"}
    problems = [
        f"peephole weights ({inputs['P']})" if "P" in inputs else "",
        f"the activations {', '.join(activations)}" if activations != own and not relu else "",
        "values that are clipped" if attributes.get("clip") else "",
        "input and forget gate coupled" if attributes.get("input_forget") else "",
        "the batch as first axis (layout 1)" if attributes.get("layout") else "",
    ]
    if unknown := ", ".join(filter(None, problems)):
        raise BundleError(
            f"{where}: the {node.op_type} {name!r} has {unknown}; explain knows the equations of "
            "torch.nn's cells, and of GRUs and RNNs as Keras has them"
        )
    spoken = _spoken(inputs["W"], name)
    return RecurrentNode(
        number=number,
        position=position,
        name=spoken,
        cell=cell,
        inputs=inputs,
        outputs={role: t for role, t in zip(_OUTPUTS, node.outputs, strict=False) if t},
        backward=backward[direction],
        turned=direction == "forward" and spoken.endswith("_reverse"),
        hidden_size=int(attributes.get("hidden_size", 0)),
        reset_after=bool(attributes.get("linear_before_reset", 0)),
        relu=relu,
    )


def _spoken(weights: str, name: str) -> str:
    """What people call the node: in graphs of ours its weights have the module's own name."""
    return weights.removesuffix(".W") if weights.endswith(".W") else name
