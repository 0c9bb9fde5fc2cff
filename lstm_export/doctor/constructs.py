"""Constructs of ONNX graphs that not every runtime computes: where in a file each one occurs.

Every construct is a function from an ONNX file, read with NumPy alone, to the names of the nodes
that hold it. It is empty where there are none; a construct of the whole file names the file's
version instead of a node. Positions of inputs and outputs are those of
https://onnx.ai/onnx/operators/onnx__LSTM.html and its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lstm_export.bundle.onnx_file import OnnxFile
from lstm_export.bundle.onnx_graph import OnnxNode
from lstm_export.bundle.onnx_tensor import OnnxTensor

Places = tuple[str, ...]
Construct = Callable[[OnnxFile], Places]

RECURRENT = ("LSTM", "GRU", "RNN")
_DEFAULT_ACTIVATIONS = {
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
    "GRU": ("Sigmoid", "Tanh"),
    "RNN": ("Tanh",),
}
_BIAS, _LENGTHS, _INITIAL_H, _INITIAL_C, _PEEPHOLE = 3, 4, 5, 6, 7


def nodes(model: OnnxFile, *op_types: str) -> Iterator[OnnxNode]:
    """The nodes of these types in ONNX's own domain, at every depth; all nodes if none is named."""
    for graph in model.graphs():
        for node in graph.nodes:
            if node.domain in ("", "ai.onnx") and (not op_types or node.op_type in op_types):
                yield node


def label(node: OnnxNode) -> str:
    """A node by its name, else by what it is and gives."""
    given = next((name for name in node.outputs if name), "")
    return f"{node.op_type} {node.name or given}".strip()


def where(*op_types: str) -> Callable[[Callable[[OnnxNode], bool]], Construct]:
    """A construct out of a condition on single nodes of these types."""

    def construct(condition: Callable[[OnnxNode], bool]) -> Construct:
        def places(model: OnnxFile) -> Places:
            return tuple(label(node) for node in nodes(model, *op_types) if condition(node))

        places.__doc__ = condition.__doc__
        return places

    return construct


def operator(op_type: str, domain: str = "") -> Construct:
    """Any node of this type."""

    def places(model: OnnxFile) -> Places:
        every = (node for graph in model.graphs() for node in graph.nodes)
        own = ("", "ai.onnx") if not domain else (domain,)
        return tuple(
            label(node) for node in every if node.op_type == op_type and node.domain in own
        )

    return places


def opset_from(first: int, below: int | None) -> Construct:
    """The file imports an opset of ONNX's own domain of at least `first`, and under `below`."""
    return lambda model: _version("opset", model.opset_version, first, below)


def ir_from(first: int, below: int | None) -> Construct:
    """The file's IR version is at least `first`, and under `below`."""
    return lambda model: _version("IR", model.ir_version, first, below)


def external_data(model: OnnxFile) -> Places:
    """Weights that lie in other files: their names."""
    return model.external_files


@where(*RECURRENT)
def sequence_lens(node: OnnxNode) -> bool:
    """True lengths of a padded batch as an input."""
    return _has(node, _LENGTHS)


@where(*RECURRENT)
def reverse(node: OnnxNode) -> bool:
    """The backward direction alone."""
    return bool(node.attributes.get("direction") == "reverse")


@where("GRU")
def reverse_gru(node: OnnxNode) -> bool:
    """A GRU's backward direction alone."""
    return bool(node.attributes.get("direction") == "reverse")


@where(*RECURRENT)
def no_initial_state(node: OnnxNode) -> bool:
    """A state left out, to be taken as zero."""
    return not _has(node, _INITIAL_H) or (node.op_type == "LSTM" and not _has(node, _INITIAL_C))


@where("GRU")
def gru_without_initial_state(node: OnnxNode) -> bool:
    """A GRU's state left out."""
    return not _has(node, _INITIAL_H)


@where("LSTM")
def unnamed_lstm_output(node: OnnxNode) -> bool:
    """Y, Y_h or Y_c left out."""
    return not all(_gives(node, position) for position in range(3))


@where("GRU")
def unnamed_gru_output(node: OnnxNode) -> bool:
    """Y or Y_h left out."""
    return not all(_gives(node, position) for position in range(2))


@where(*RECURRENT)
def batch_major(node: OnnxNode) -> bool:
    """layout=1: batch before time."""
    return bool(node.attributes.get("layout", 0) == 1)


@where("LSTM", "GRU")
def other_activations(node: OnnxNode) -> bool:
    """Activations other than sigmoid and tanh in an LSTM or GRU."""
    return _other_activations(node)


@where("RNN")
def other_rnn_activation(node: OnnxNode) -> bool:
    """An RNN with another activation than tanh: torch's nonlinearity="relu"."""
    return _other_activations(node)


@where(*RECURRENT)
def clipped(node: OnnxNode) -> bool:
    """A bound on what enters the activations."""
    return "clip" in node.attributes


@where("LSTM")
def coupled_gates(node: OnnxNode) -> bool:
    """input_forget=1: the forget gate is one minus the input gate."""
    return bool(node.attributes.get("input_forget", 0) == 1)


@where("LSTM")
def peephole(node: OnnxNode) -> bool:
    """Peephole weights."""
    return _has(node, _PEEPHOLE)


@where(*RECURRENT)
def no_bias(node: OnnxNode) -> bool:
    """B left out, to be taken as zero."""
    return not _has(node, _BIAS)


def sliced_zero_states(model: OnnxFile) -> Places:
    """Computed zeros that are cut apart: for the layers of a stack, or by an LSTM for its two
    directions, where it is the only one."""
    lstms = list(nodes(model, "LSTM"))
    made_by = {name: node for node in nodes(model) for name in node.outputs if name}

    def filled(name: str) -> bool:
        return name in made_by and made_by[name].op_type in ("ConstantOfShape", "Expand")

    def cut(node: OnnxNode) -> bool:
        states = node.inputs[_INITIAL_H : _INITIAL_C + 1]
        if node.attributes.get("direction") == "bidirectional":
            return len(lstms) == 1 and any(map(filled, states))
        makers = [made_by[name] for name in states if name in made_by]
        sliced = [one for one in makers if one.op_type in ("Split", "Gather", "Slice")]
        # One slice for h and another for c is taken.
        return len(set(states)) == 1 and any(filled(one.inputs[0]) for one in sliced)

    return tuple(label(node) for node in lstms if cut(node))


def recurrent_in(*dtypes: str) -> Construct:
    """A recurrent node that computes in one of these dtypes."""

    def places(model: OnnxFile) -> Places:
        constants = constants_of(model)
        fed = {spec.name: spec.dtype for spec in model.graph.inputs}
        floats = [dtype for dtype in fed.values() if dtype.startswith("float")]

        def dtype(node: OnnxNode) -> str | None:
            # X, W and R share one type; a weight tells it, else an input of the graph.
            known = (constants[name].dtype for name in node.inputs[1:3] if name in constants)
            own = next(known, fed.get(node.inputs[0]) if node.inputs else None)
            return own or (floats[0] if len(set(floats)) == 1 else None)

        return tuple(label(node) for node in nodes(model, *RECURRENT) if dtype(node) in dtypes)

    return places


def computed_weights(model: OnnxFile) -> Places:
    """Recurrent weights that nodes compute, where initializers would do."""
    constants = constants_of(model)
    fed = {spec.name for spec in model.graph.inputs}
    return tuple(
        label(node)
        for node in nodes(model, "LSTM")
        if any(name and name not in constants and name not in fed for name in node.inputs[1:3])
    )


def any_recurrent(model: OnnxFile) -> Places:
    """A recurrent node of any kind."""
    return tuple(label(node) for node in nodes(model, *RECURRENT))


def constants_of(model: OnnxFile) -> Mapping[str, OnnxTensor]:
    """Initializers and the values of Constant nodes, at every depth."""
    found: dict[str, OnnxTensor] = {}
    for graph in model.graphs():
        found.update(graph.initializers)
    for node in nodes(model, "Constant"):
        value = node.attributes.get("value")
        if isinstance(value, OnnxTensor) and node.outputs:
            found[node.outputs[0]] = value
    return found


def _version(what: str, version: int, first: int, below: int | None) -> Places:
    inside = version >= first and (below is None or version < below)
    return (f"{what} {version}",) if inside else ()


def _has(node: OnnxNode, position: int) -> bool:
    return len(node.inputs) > position and bool(node.inputs[position])


def _gives(node: OnnxNode, position: int) -> bool:
    return len(node.outputs) > position and bool(node.outputs[position])


def _other_activations(node: OnnxNode) -> bool:
    usual = _DEFAULT_ACTIVATIONS[node.op_type]
    given = tuple(node.attributes.get("activations", ()))
    directions = 2 if node.attributes.get("direction") == "bidirectional" else 1
    # Names compare without regard to case, by the standard.
    return bool(given) and [name.lower() for name in given] != [
        name.lower() for name in usual * directions
    ]
