"""The graphs of a model of sequences: their tensors, and examples to trace them on."""

from __future__ import annotations

import torch
from torch import Tensor

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import (
    BATCH,
    SEQUENCE_LENGTH,
    Contract,
    GraphSpec,
    Sequences,
    TensorSpec,
)
from lstm_export.exporting.module import export_graph
from lstm_export.exporting.target import Target
from lstm_export.nn.forms import module_of
from lstm_export.nn.sequence_model import SequenceModel

_SIZES = {BATCH: 3, SEQUENCE_LENGTH: 7}
"""Of the examples: any will do; ones that few other sizes equal keep errors readable."""


def sequence_graphs(terms: Sequences) -> dict[str, GraphSpec]:
    """The graphs a model of sequences has, by file name; `stream.onnx` where it is causal."""
    steps = () if terms.pooling else (SEQUENCE_LENGTH,)
    answer = TensorSpec(terms.output, "float32", (BATCH, *steps, terms.width))
    x = _data(terms)
    graphs = {
        LAYOUT.model: GraphSpec((x,), (answer,)),
        LAYOUT.ragged: GraphSpec((x, TensorSpec("lengths", "int64", (BATCH,))), (answer,)),
    }
    if terms.causal:
        graphs[LAYOUT.stream] = _stream_spec(terms)
    return graphs


def export_sequences(model: SequenceModel, graph: str, target: Target = "portable") -> bytes:
    """One graph of `model`, by file name, as ONNX. Raises ExportError."""
    spec = sequence_graphs(model.terms)[graph]
    contract = Contract(task=model.terms.task, graph=spec, sequences=model.terms)
    args = [_example(tensor) for tensor in spec.inputs]
    return export_graph(module_of(model, graph), args, contract, target=target)


def _example(tensor: TensorSpec) -> Tensor:
    shape = [_SIZES[axis] if isinstance(axis, str) else axis for axis in tensor.axes]
    if tensor.name == "lengths":
        return torch.full(shape, _SIZES[SEQUENCE_LENGTH])
    return torch.zeros(shape, dtype=getattr(torch, tensor.dtype))


def _data(terms: Sequences) -> TensorSpec:
    if terms.vocabulary is not None:
        return TensorSpec("x", "int64", (BATCH, SEQUENCE_LENGTH))
    return TensorSpec("x", "float32", (BATCH, SEQUENCE_LENGTH, len(terms.features)))


def _stream_spec(terms: Sequences) -> GraphSpec:
    """An answer for every step, whatever the pooling: the one so far."""
    recurrent = terms.recurrent
    sizes = {"h": recurrent.state_size}
    if recurrent.cell == "lstm":
        sizes["c"] = recurrent.hidden_size

    def states(end: str) -> list[TensorSpec]:
        return [
            TensorSpec(f"{end}_{name}", "float32", (recurrent.num_layers, BATCH, size))
            for name, size in sizes.items()
        ]

    answer = TensorSpec(terms.output, "float32", (BATCH, SEQUENCE_LENGTH, terms.width))
    return GraphSpec((_data(terms), *states("initial")), (answer, *states("final")))
