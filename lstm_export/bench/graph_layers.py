"""The recurrent layers of an ONNX graph as torch layers, with the graph's own weights.

For a bundle of a module there is no module any more; what one can still time in torch are its
recurrent layers, without whatever stood around them. Gate orders: ONNX has i, o, f, c for an LSTM
and z, r, h for a GRU, torch i, f, g, o and r, z, n.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstm_export.bundle.onnx_file import OnnxFile
from lstm_export.bundle.onnx_graph import OnnxGraph, OnnxNode

if TYPE_CHECKING:
    from torch import nn

_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@dataclass(frozen=True, slots=True)
class Layer:
    """One recurrent node: W, R are (directions, gates · hidden, ·), B has both biases."""

    kind: str
    W: npt.NDArray[Any]
    R: npt.NDArray[Any]
    B: npt.NDArray[Any]

    @property
    def directions(self) -> int:
        return int(self.W.shape[0])

    @property
    def input_size(self) -> int:
        return int(self.W.shape[2])

    @property
    def hidden_size(self) -> int:
        return int(self.R.shape[2])

    def continues(self, below: Layer) -> bool:
        """Whether this one can be the next layer of the same torch module."""
        same = (self.kind, self.hidden_size, self.directions)
        width = below.hidden_size * below.directions
        return same == (below.kind, below.hidden_size, below.directions) and (
            self.input_size == width
        )


def recurrent_layers(model: OnnxFile) -> tuple[Layer, ...]:
    """The layers of `model` in the graph's order; those without constant weights are left out."""
    found = [_layer(node, graph) for graph in model.graphs() for node in graph.nodes]
    return tuple(layer for layer in found if layer is not None)


def torch_stacks(layers: Sequence[Layer]) -> list[nn.RNNBase]:
    """`layers` as modules of torch, those that feed each other in one."""
    groups: list[list[Layer]] = []
    for layer in layers:
        if groups and layer.continues(groups[-1][-1]):
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return [_stack(group) for group in groups]


def _layer(node: OnnxNode, graph: OnnxGraph) -> Layer | None:
    if node.domain or node.op_type not in _ORDER:
        return None
    given = [graph.initializers.get(name) for name in node.inputs[1:4]]
    weights = [tensor.data for tensor in given if tensor is not None and tensor.data is not None]
    if len(weights) < 2:
        return None
    W, R, *rest = weights
    B = rest[0] if rest else np.zeros((W.shape[0], 2 * W.shape[1]), np.float32)
    return Layer(node.op_type, W, R, B)


def _stack(layers: Sequence[Layer]) -> nn.RNNBase:
    import torch
    from torch import nn

    first = layers[0]
    kinds: dict[str, Callable[..., nn.RNNBase]] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}
    module = kinds[first.kind](
        first.input_size,
        first.hidden_size,
        len(layers),
        batch_first=True,
        bidirectional=first.directions == 2,
    )
    with torch.no_grad():
        for k, layer in enumerate(layers):
            for direction in range(layer.directions):
                suffix = f"_l{k}" + "_reverse" * direction
                for part, value in zip(_PARTS, _torch_order(layer, direction), strict=True):
                    getattr(module, part + suffix).copy_(torch.from_numpy(value))
    return module.eval()


def _torch_order(layer: Layer, direction: int) -> list[npt.NDArray[Any]]:
    size = layer.hidden_size
    ih, hh = np.split(layer.B[direction], 2)
    return [
        np.concatenate([value[gate * size : (gate + 1) * size] for gate in _ORDER[layer.kind]])
        for value in (layer.W[direction], layer.R[direction], ih, hh)
    ]
