"""Recurrent weights of a torch module in ONNX layout, gates reordered once.

torch stacks the gates of a weight row-wise as i, f, g, o (LSTM) and r, z, n (GRU); ONNX wants
i, o, f, c and z, r, h (https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html). Both
keep the two biases apart, ONNX in one row: input biases, then recurrent biases.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lstm_export.contract import Cell
from lstm_export.nn.equations.layers import EquationLayers

RecurrentLayers = nn.RNNBase | EquationLayers

ONNX_GATES: dict[Cell, tuple[int, ...]] = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
"""For each ONNX gate, in order, the position of the same gate in torch."""


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer, all its directions, in ONNX layout.

    `W` (directions, gates · hidden_size, input_size), `R` (directions, gates · hidden_size,
    state_size), `B` (directions, 2 · gates · hidden_size), and for a projected LSTM `P`
    (directions, proj_size, hidden_size).
    """

    W: Tensor
    R: Tensor
    B: Tensor
    P: Tensor | None


def cell_of(module: RecurrentLayers) -> Cell:
    """Which cell the layers hold."""
    if isinstance(module, EquationLayers):
        return module.cell
    if isinstance(module, nn.LSTM):
        return "lstm"
    return "gru" if isinstance(module, nn.GRU) else "rnn"


@torch.no_grad()
def onnx_layers(module: nn.RNNBase) -> tuple[LayerWeights, ...]:
    """The weights of every layer, read by attribute so that parametrized ones are their values."""
    suffixes = ("", "_reverse") if module.bidirectional else ("",)
    return tuple(
        _layer(module, [f"_l{layer}{suffix}" for suffix in suffixes])
        for layer in range(module.num_layers)
    )


def _layer(module: nn.RNNBase, suffixes: list[str]) -> LayerWeights:
    order = ONNX_GATES[cell_of(module)]

    def stacked(name: str) -> Tensor:
        weights: list[Tensor] = [getattr(module, name + s).detach() for s in suffixes]
        result = weights[0].new_empty(len(weights), *weights[0].shape)
        for weight, reordered in zip(weights, result, strict=True):
            gates = weight.chunk(len(order), dim=0)
            for position, gate in zip(order, reordered.chunk(len(order), dim=0), strict=True):
                gate.copy_(gates[position])
        return result

    W, R = stacked("weight_ih"), stacked("weight_hh")
    if module.bias:
        B = torch.cat([stacked("bias_ih"), stacked("bias_hh")], dim=-1)
    else:
        B = W.new_zeros(W.shape[0], 2 * W.shape[1])
    projections = [getattr(module, "weight_hr" + s) for s in suffixes] if module.proj_size else []
    P = torch.stack([p.detach() for p in projections]) if projections else None
    return LayerWeights(W, R, B, P)
