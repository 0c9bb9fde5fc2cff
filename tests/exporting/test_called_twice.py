"""One layer called several ways in one graph, and names that are taken already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import lstm_export as lx
from lstm_export.exporting.lowering.builder import Nodes
from lstm_export.exporting.target import Target

Function = Callable[..., Any]
LAYERS = {
    "LSTM": nn.LSTM(4, 5, 2, bidirectional=True),
    "LSTM projected": nn.LSTM(4, 5, 2, bidirectional=True, proj_size=3),
    "LSTM one way": nn.LSTM(4, 5, 2),
    "GRU": nn.GRU(4, 5, bidirectional=True),
    "RNN relu": nn.RNN(4, 5, bidirectional=True, nonlinearity="relu"),
}
WAYS = (("padded", "packed", "padded with states"), ("packed", "padded", "packed with states"))
"""For every other layer, since the first call names the weights."""


class CalledTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(LAYERS.values())

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        outputs: list[Tensor] = []
        x = torch.where(torch.isnan(x), 0.5, x).transpose(0, 1)
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        for number, layer in enumerate(self.layers):
            state = None
            for way in WAYS[number % 2]:
                given = packed if way.startswith("packed") else x
                y, found = layer(given, state if way.endswith("states") else None)
                y = pad_packed_sequence(y)[0] if given is packed else y
                outputs += [y, *(found if isinstance(found, tuple) else (found,))]
                state = found
        return tuple(outputs)


# torch warns that a projection runs on its default implementation, which is of no concern here.
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported:UserWarning")
def test_one_layer_on_padded_and_on_packed_sequences(
    exported_for_all: Function, ragged: Function
) -> None:
    torch.manual_seed(0)
    graphs = exported_for_all(CalledTwice(), *ragged(3, 5, [3, 5, 2]))
    for target, graph in graphs.items():
        for case in ((3, 9, [7, 9, 1]), (1, 1, [1])):
            graph.check(*ragged(*case), about=f"{target} at {case}")
    # Called in the same way again, a layer has the same weights.
    held = onnx.load_from_string(graphs["onnxruntime"].content).graph.initializer
    recurrent = [one.name for one in held if one.name.rsplit(".", 1)[-1].startswith("R")]
    assert len(recurrent) == len(set(recurrent)) == sum(one.num_layers for one in LAYERS.values())


class Named(nn.Module):
    """A layer beside parameters that are called as lowering calls what it makes."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 4, bidirectional=True)
        self.rnn.add_module("0", nn.Module())
        own: Any = self.rnn.get_submodule("0")
        own.W, own.R = (nn.Parameter(torch.randn(1)) for _ in "WR")
        self.position_0, self.position_1 = (nn.Parameter(torch.randn(())) for _ in "01")

    def forward(self, x: Tensor) -> Tensor:
        own: Any = self.rnn.get_submodule("0")
        y: Tensor = self.rnn(x)[0] * own.W + own.R + self.position_0 * self.position_1
        return y


@pytest.mark.parametrize("target", get_args(Target))
def test_parameters_may_be_called_anything(target: Target, tmp_path: Path) -> None:
    torch.manual_seed(0)
    lx.export_onnx(Named(), (torch.randn(5, 2, 3),), tmp_path / "m.onnx", target=target)


def test_a_constant_is_known_by_its_name_and_its_value() -> None:
    nodes = Nodes(ir.Graph([], [], nodes=[]))
    values = [np.zeros((1, 2)), np.zeros(2), np.ones(2), np.array([np.nan, 0]), np.zeros(2, int)]
    made = [nodes.constant("a", value) for value in values]
    assert [one.name for one in made] == ["a", "a_2", "a_3", "a_4", "a_5"]
    assert [nodes.constant("a", value.copy()) for value in values] == made
