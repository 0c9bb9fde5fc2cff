"""Recurrent layers read out of a graph compute in torch what they did in the module."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import lstm_export
from lstm_export.bench.graph_layers import recurrent_layers, torch_stacks
from lstm_export.bench.torch_cells import cell_step
from lstm_export.bundle.onnx_file import read_onnx


class Output(nn.Module):
    def __init__(self, layers: nn.RNNBase) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x)[0]
        return y


@pytest.mark.parametrize(
    "layers",
    [
        lambda: nn.LSTM(3, 5, 2, batch_first=True),
        lambda: nn.GRU(3, 5, 2, batch_first=True, bidirectional=True),
        lambda: nn.RNN(3, 5, batch_first=True, bias=False),
    ],
    ids=["lstm", "gru, two directions", "rnn without bias"],
)
def test_layers_of_a_graph(layers, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    module, x = Output(layers()).eval(), torch.randn(4, 9, 3)
    path = tmp_path / "model.onnx"
    lstm_export.export_onnx(module, (x,), path)
    (stack,) = torch_stacks(recurrent_layers(read_onnx(path)))
    with torch.inference_mode():
        torch.testing.assert_close(stack(x)[0], module(x))


def test_layers_that_do_not_feed_each_other_are_apart(module_bundle: Path) -> None:
    stacks = torch_stacks(recurrent_layers(read_onnx(module_bundle / "model.onnx")))
    assert [type(stack).__name__ for stack in stacks] == ["LSTM", "GRU"]
    assert [stack.num_layers for stack in stacks] == [2, 1]


def test_cells_do_the_same_steps(run_bundle: Path) -> None:
    layers = recurrent_layers(read_onnx(run_bundle / "stream.onnx"))
    (stack,) = torch_stacks(layers)
    step = cell_step(layers, 3)
    assert callable(step)
    with torch.inference_mode():
        expected = stack(torch.zeros(3, 4, 1))[0]
        for t in range(4):
            torch.testing.assert_close(step(), expected[:, t])


def test_no_steps_in_two_directions(module_bundle: Path) -> None:
    found = cell_step(recurrent_layers(read_onnx(module_bundle / "model.onnx")), 1)
    assert found == "layers of two directions have no next step"
    assert "holds no LSTM" in str(cell_step((), 1))
