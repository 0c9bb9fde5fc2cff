"""Graphs that some runtime is known to refuse, to crash on or to get wrong: one trap each.

All but the last few are a handful of nodes by hand, with dynamic axes; `shows` is the name under
which `lstm-export doctor` knows the construct. What cannot be built by hand is exported.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from graphs import WIDTH, loop_graph, model, recurrent_graph
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True, slots=True)
class Trap:
    """A graph, and the name of the construct in it."""

    name: str
    shows: str
    graph: onnx.ModelProto
    judge: onnx.ModelProto | None = None
    """The same function in a spelling that onnxruntime runs, where it does not run the graph."""
    shapes: tuple[tuple[int, int], ...] = ((2, 5), (1, 1), (4, 9))
    """Batch and length of the inputs, one after the other on one loaded model."""
    tolerance: float = 1e-5
    """Absolute, of values within (-1, 1). The judge is onnxruntime itself, in float32."""


RECURRENT: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("portable", "", {}),
    ("two-directions", "", {"directions": 2, "states": "joined"}),
    ("sequence-lens", "sequence_lens", {"lengths": True}),
    ("sequence-lens-no-state", "sequence_lens", {"lengths": True, "states": "none"}),
    ("sequence-lens-gru", "sequence_lens", {"op_type": "GRU", "lengths": True}),
    ("reverse", "direction=reverse", {"direction": "reverse"}),
    ("reverse-gru", "direction=reverse in a GRU", {"op_type": "GRU", "direction": "reverse"}),
    ("no-state", "an initial state left out", {"states": "none"}),
    ("no-state-gru", "a GRU's initial state left out", {"op_type": "GRU", "states": "none"}),
    ("sliced-zeros", "zero states that are sliced", {"states": "sliced"}),
    ("one-output", "an LSTM's output left out", {"outputs": 1}),
    ("one-output-gru", "a GRU's output left out", {"op_type": "GRU", "outputs": 1}),
    ("no-bias", "a bias left out", {"bias": False}),
    ("gru", "GRU", {"op_type": "GRU"}),
    ("rnn", "RNN", {"op_type": "RNN"}),
    ("rnn-relu", "an RNN's activation", {"op_type": "RNN", "activations": ["Relu"]}),
    (
        "relu",
        "activations other than sigmoid and tanh",
        {"activations": ["Sigmoid", "Relu", "Relu"]},
    ),
    ("clip", "clip", {"clip": 0.2}),
    ("input-forget", "input_forget=1", {"input_forget": 1}),
    ("peephole", "peephole weights", {"peephole": True}),
    ("untyped-zeros", "ConstantOfShape without a value", {"value": False}),
    ("unknown-rank", "an input or output of unknown rank", {"shape": False}),
    ("computed-weights", "LSTM weights that nodes compute", {"computed": True}),
)


def traps() -> Iterator[Trap]:
    """Every trap that is a file of its own."""
    for name, shows, options in RECURRENT:
        yield Trap(name, shows, recurrent_graph(**options))
    double = recurrent_graph(dtype=np.float64)
    yield Trap("float64", "float64 recurrence", double, recurrent_graph())
    yield Trap("loop", "Loop", loop_graph("Loop"))
    unnamed = loop_graph("Loop", named=False)
    yield Trap("loop-unnamed", "a Loop's output left out", unnamed, loop_graph("Loop"))
    yield Trap("scan", "Scan", loop_graph("Scan"))
    unnamed = loop_graph("Scan", named=False)
    yield Trap("scan-unnamed", "a Scan's output left out", unnamed, loop_graph("Scan"))
    yield Trap("scan-idle", "a Scan whose body leaves out what is scanned", _idle_scan())
    yield Trap("reverse-sequence", "ReverseSequence", _reverse_sequence())
    yield Trap("matmul-vector", "a MatMul with a vector", _vector())
    yield Trap("matmul-stack", "a MatMul with a stored stack of matrices", _stack())
    # In the order that shows it: the single key first.
    yield Trap("attention", "attention", _attention(), shapes=((1, 1), (2, 5), (4, 9)))
    yield Trap("gelu", "a GELU of Div and Erf", _gelu())
    yield Trap("pad", "a Pad of computed sizes", _pad())
    yield Trap("slice-by-input", "a Slice whose bounds are fed", _slice())
    # Rounded to 8 bits at every step, builds of onnxruntime itself differ by 0.01.
    yield Trap("quantised", "DynamicQuantizeLSTM", _quantised(), tolerance=0.05)


def export_sequence_lens(folder: Path) -> Path:
    """A bundle of target=onnxruntime: a padded batch in two directions, with `sequence_lens`."""
    import torch
    from torch import nn
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    import lstm_export

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(3, 6, batch_first=True, bidirectional=True)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            rows = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return pad_packed_sequence(self.rnn(rows)[0], batch_first=True)[0]

    torch.manual_seed(0)
    args = torch.randn(3, 7, 3), torch.tensor([4, 7, 2])
    path = folder / "sequence-lens-exported"
    lstm_export.export_bundle(Tagger().eval(), path, args=args, target="onnxruntime")
    return path


_X = ("x", TensorProto.FLOAT, ["batch", "sequence_length", WIDTH])
_Y = ("y", TensorProto.FLOAT, ["batch", "sequence_length", WIDTH])


def _idle_scan() -> onnx.ModelProto:
    """h ← tanh(h · R), as often as there are steps; y (sequence_length, batch, 3)."""
    graph = loop_graph("Scan")
    (scan,) = (node for node in graph.graph.node if node.op_type == "Scan")
    (body,) = (one.g for one in scan.attribute if one.name == "body")
    (add,) = (node for node in body.node if node.op_type == "Add")
    add.input[:] = ["r", "r"]
    # The steps alone are scanned: a number for each.
    nodes = [
        helper.make_node("Range", ["zero", "T", "step"], ["steps"]),
        helper.make_node("Gather", ["t", "zero"], ["first"], axis=0),
    ]
    scan.input[:] = ["first", "steps"]
    place = list(graph.graph.node).index(scan)
    for offset, node in enumerate(nodes):
        graph.graph.node.insert(place + offset, node)
    body.input[1].CopyFrom(helper.make_tensor_value_info("x_t", TensorProto.INT64, []))
    graph.graph.initializer.append(numpy_helper.from_array(np.array(1), "step"))
    return graph


def _reverse_sequence() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("ReverseSequence", ["t", "lengths"], ["y"], time_axis=0, batch_axis=1),
    ]
    lengths = ("lengths", TensorProto.INT64, ["batch"])
    y = ("y", TensorProto.FLOAT, ["sequence_length", "batch", WIDTH])
    return model(nodes, {}, [_X, lengths], [y])


def _vector() -> onnx.ModelProto:
    constants = {"v": np.array([0.5, -1.0, 0.25], np.float32)}
    nodes = [helper.make_node("MatMul", ["x", "v"], ["y"])]
    return model(nodes, constants, [_X], [("y", TensorProto.FLOAT, ["batch", "sequence_length"])])


def _stack() -> onnx.ModelProto:
    """x · M with M (1, 3, 3)."""
    rng = np.random.default_rng(3)
    constants = {"M": rng.normal(0, 0.5, (1, WIDTH, WIDTH)).astype(np.float32)}
    nodes = [helper.make_node("MatMul", ["x", "M"], ["y"])]
    return model(nodes, constants, [_X], [_Y])


def _attention() -> onnx.ModelProto:
    """softmax(q · k') · v, each a projection of x."""
    rng = np.random.default_rng(2)
    constants = {n: rng.normal(0, 0.3, (WIDTH, WIDTH)).astype(np.float32) for n in "QKV"}
    nodes = [
        *(helper.make_node("MatMul", ["x", name], [name.lower()]) for name in "QKV"),
        helper.make_node("Transpose", ["k"], ["keys"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "keys"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "v"], ["y"]),
    ]
    return model(nodes, constants, [_X], [_Y])


def _gelu() -> onnx.ModelProto:
    """x · (½ · (1 + erf(x / √2)))."""
    numbers = {"root": 2**0.5, "one": 1.0, "half": 0.5}
    constants = {name: np.array(value, np.float32) for name, value in numbers.items()}
    nodes = [
        helper.make_node("Div", ["x", "root"], ["divided"]),
        helper.make_node("Erf", ["divided"], ["erf"]),
        helper.make_node("Add", ["erf", "one"], ["added"]),
        helper.make_node("Mul", ["half", "added"], ["share"]),
        helper.make_node("Mul", ["x", "share"], ["y"]),
    ]
    return model(nodes, constants, [_X], [_Y])


def _pad() -> onnx.ModelProto:
    """As many zeros behind x as it has steps."""
    constants = {"none": np.array([0]), "time": np.array([1])}
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "time"], ["T"], axis=0),
        helper.make_node("Concat", ["none", "none", "none", "none", "T", "none"], ["pads"], axis=0),
        helper.make_node("Pad", ["x", "pads"], ["y"]),
    ]
    return model(nodes, constants, [_X], [("y", TensorProto.FLOAT, ["batch", "padded", WIDTH])])


def _slice() -> onnx.ModelProto:
    constants = {"zero": np.array([0]), "one": np.array([1])}
    nodes = [
        helper.make_node("Unsqueeze", ["steps", "zero"], ["end"]),
        helper.make_node("Slice", ["x", "zero", "end", "one"], ["y"]),
    ]
    y = ("y", TensorProto.FLOAT, ["batch", "steps", WIDTH])
    return model(nodes, constants, [_X, ("steps", TensorProto.INT64, [])], [y])


def _quantised() -> onnx.ModelProto:
    from onnxruntime.quantization import quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "plain.onnx", Path(folder) / "small.onnx"
        onnx.save(recurrent_graph(), plain)
        quantize_dynamic(plain, small, op_types_to_quantize=["LSTM"])
        return onnx.load(small)
