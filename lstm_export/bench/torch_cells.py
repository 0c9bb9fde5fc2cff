"""Recurrent layers a step at a time in torch: nn.LSTMCell and its kin, as one writes a stream by
hand. For single steps they are faster than nn.LSTM, so torch is not handicapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lstm_export.bench.graph_layers import Layer, torch_stacks


def cell_step(layers: Sequence[Layer], batch: int) -> Callable[[], object] | str:
    """A call that does the next step of `layers` on `batch` rows; or why there is none.

    The state goes on from call to call. Layers of two directions have no next step.
    """
    import torch
    from torch import nn

    if not layers:
        return "the graph holds no LSTM, GRU or RNN with constant weights"
    if any(layer.directions > 1 for layer in layers):
        return "layers of two directions have no next step"
    kinds: dict[str, Any] = {"LSTM": nn.LSTMCell, "GRU": nn.GRUCell, "RNN": nn.RNNCell}
    cells = []
    for layer in layers:
        cell = kinds[layer.kind](layer.input_size, layer.hidden_size)
        (stack,) = torch_stacks([layer])
        weights = {name.removesuffix("_l0"): value for name, value in stack.state_dict().items()}
        cell.load_state_dict(weights)
        cells.append(cell)
    first = torch.zeros(batch, layers[0].input_size)
    states: list[Any] = [None] * len(cells)

    def step() -> object:
        x = first
        for k, cell in enumerate(cells):
            if x.shape[-1] != layers[k].input_size:
                x = torch.zeros(batch, layers[k].input_size)
            states[k] = cell(x, states[k])
            x = states[k][0] if layers[k].kind == "LSTM" else states[k]
        return x

    return step
