"""Every kind of recurrent layer, exported once at one shape and run at others."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from lstm_export.contract import Contract, GraphSpec, TensorSpec
from lstm_export.exporting.module import export_graph
from lstm_export.exporting.target import Target

SHAPES = [(2, 5), (1, 1), (4, 9), (1, 7), (3, 200)]

DEEP, TWO, FLAT, THIN = (
    {"num_layers": 3},
    {"bidirectional": True},
    {"bias": False},
    {"proj_size": 3},
)
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *itertools.product(["LSTM", "GRU", "RNN"], [{}, DEEP, TWO, {**DEEP, **TWO}]),
    ("LSTM", FLAT),
    ("GRU", {**FLAT, **TWO}),
    ("RNN", {"nonlinearity": "relu", **DEEP}),
    ("LSTM", THIN),
    ("LSTM", {**THIN, **TWO}),
    ("LSTM", {**THIN, **DEEP, **TWO}),
]


class Layers(nn.Module):
    """A recurrent stack that returns everything it computes."""

    def __init__(self, cell: str, **options: Any) -> None:
        super().__init__()
        self.layers = getattr(nn, cell)(4, 6, **options)

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        given = (state if len(state) == 2 else state[0],) if state else ()
        y, final = self.layers(x, *given)
        return y, *(final if isinstance(final, tuple) else (final,))


def specs(module: Layers, states: str) -> GraphSpec:
    layers = module.layers
    directions = 2 if layers.bidirectional else 1
    width = layers.proj_size or 6
    time = ("batch", "sequence_length") if layers.batch_first else ("sequence_length", "batch")
    names = ["h", "c"] if isinstance(layers, nn.LSTM) else ["h"]
    state = {
        name: (layers.num_layers * directions, "batch", 6 if name == "c" else width)
        for name in names
    }

    def ends(end: str) -> list[TensorSpec]:
        return [TensorSpec(f"{end}_{name}", "float32", axes) for name, axes in state.items()]

    return GraphSpec(
        (
            TensorSpec("x", "float32", (*time, 4)),
            *(ends("initial") if states == "with state" else []),
        ),
        (TensorSpec("output", "float32", (*time, directions * width)), *ends("final")),
    )


def feeds(graph: GraphSpec, batch: int, length: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    sizes = {"batch": batch, "sequence_length": length}
    return {
        spec.name: torch.randn(
            [sizes[axis] if isinstance(axis, str) else axis for axis in spec.axes],
            generator=generator,
        )
        for spec in graph.inputs
    }


def check(module: nn.Module, graph: GraphSpec, content: bytes) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    for batch, length in SHAPES:
        tensors = feeds(graph, batch, length, seed=batch * 1000 + length)
        got = session.run(None, {name: tensor.numpy() for name, tensor in tensors.items()})
        with torch.no_grad():
            usual = module(*tensors.values())
            exact = module.double()(*(tensor.double() for tensor in tensors.values()))
            module.float()
        for spec, value, torch_value, reference in zip(
            graph.outputs, got, usual, exact, strict=True
        ):
            assert value.shape == tuple(reference.shape), spec.name
            reference = reference.numpy()
            own = np.abs(torch_value.numpy() - reference).max()
            bound = max(4 * own, 2e-6 * np.abs(reference).max())
            assert np.abs(value - reference).max() <= bound, (spec.name, batch, length)


# torch warns that a projection runs on its default implementation, which is of no concern here.
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported:UserWarning")
@pytest.mark.parametrize("target", ["portable", "onnxruntime"])
@pytest.mark.parametrize("states", ["without state", "with state"])
@pytest.mark.parametrize(
    ("cell", "options"), OPTIONS, ids=["-".join([cell, *options]) for cell, options in OPTIONS]
)
def test_any_batch_and_any_length_give_torchs_numbers(
    cell: str, options: dict[str, Any], states: str, target: Target
) -> None:
    torch.manual_seed(0)
    # Batch-major and time-major alternate over the matrix rather than doubling it.
    batch_first = (len(options) + (states == "with state")) % 2 == 0
    module = Layers(cell, batch_first=batch_first, **options).eval()
    graph = specs(module, states)
    content = export_graph(
        module, list(feeds(graph, 2, 5, 0).values()), Contract("module", graph), target=target
    )
    check(module, graph, content)
