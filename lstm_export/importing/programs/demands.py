"""What recurrent layers and cells demand of sizes, and the shapes of what they give.

torch's own rules for them would fix the batch and the length.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_ATEN = torch.ops.aten
CELLS = (
    _ATEN.lstm_cell.default,
    _ATEN.gru_cell.default,
    _ATEN.rnn_tanh_cell.default,
    _ATEN.rnn_relu_cell.default,
)


def layer_shapes(layer: nn.RNNBase, x: Tensor, hx: Any = None) -> Any:
    """What a layer gives for x of three axes, without values."""
    batch = x.shape[0 if layer.batch_first else 1]
    directions = 2 if layer.bidirectional else 1
    rows, width = directions * layer.num_layers, layer.proj_size or layer.hidden_size
    _demand(x.shape[2] == layer.input_size)
    states = () if hx is None else hx if isinstance(hx, tuple) else (hx,)
    for state, size in zip(states, (width, layer.hidden_size), strict=False):
        for one, wanted in zip(state.shape, (rows, batch, size), strict=True):
            _demand(one == wanted)
    y = torch.empty((*x.shape[:2], directions * width), dtype=x.dtype)
    h = torch.empty((rows, batch, width), dtype=x.dtype)
    if not isinstance(layer, nn.LSTM):
        return y, h
    return y, (h, torch.empty((rows, batch, layer.hidden_size), dtype=x.dtype))


def cell_shapes(x: Tensor, hx: Any, weight: Tensor) -> Any:
    """What one step of a cell gives for x (batch, input_size), without values."""
    states = hx if isinstance(hx, list | tuple) else (hx,)
    _demand(x.shape[1] == weight.shape[1])
    for state in states:
        _demand(state.shape[0] == x.shape[0])
    given = [torch.empty_like(state) for state in states]
    return tuple(given) if isinstance(hx, list | tuple) else given[0]


def _demand(condition: Any) -> None:
    torch._check(condition)  # type: ignore[no-untyped-call]
