"""Cells by their equations as ONNX: the operators that torch's own layers become."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import lstm_export as lx
from lstm_export.doctor.module import found_layers
from lstm_export.exporting.capture.recurrent import recurrent_capture
from lstm_export.exporting.source.guessed_inputs import guess_arguments
from lstm_export.nn import EquationLayers, GRUCell, LSTMCell, to_torch

X, H = 3, 4


def exported(module: nn.Module, args: tuple[Any, ...], file: Path) -> tuple[Any, list[str]]:
    """The report of a verified export and the recurrent operators of the file."""
    report = lx.export_onnx(module.eval(), args, file)
    nodes = onnx.load(file).graph.node
    return report, [n.op_type for n in nodes if n.op_type in ("LSTM", "GRU", "RNN", "Scan")]


def axes(report: Any) -> dict[str, list[Any]]:
    return {
        tensor.name: [axis.name or axis.size for axis in tensor.axes]
        for tensor in (*report.inputs, *report.outputs)
    }


@pytest.mark.parametrize(
    ("cell", "num_layers", "bidirectional", "given"),
    [
        ("lstm", 1, False, False),
        ("lstm", 2, True, True),
        ("gru", 2, False, True),
        ("rnn", 2, True, False),
    ],
)
def test_an_operator_for_each_layer_as_of_torch_s_own(
    cell: Any, num_layers: int, bidirectional: bool, given: bool, tmp_path: Path
) -> None:
    layers = EquationLayers(cell, X, H, num_layers, bidirectional=bidirectional)
    rows = num_layers * (1 + bidirectional)
    h = torch.randn(rows, 2, H)
    state = ((h, -h) if cell == "lstm" else h,) if given else ()
    args = (torch.randn(2, 5, X), *state)
    report, operators = exported(layers, args, tmp_path / "own.onnx")
    assert operators == [cell.upper()] * num_layers
    shapes = axes(report)
    assert shapes.pop("x") == ["batch", "sequence_length", X]
    assert shapes.pop("output_0") == ["batch", "sequence_length", H * (1 + bidirectional)]
    assert len(shapes) == (1 + given) * (2 if cell == "lstm" else 1)
    assert all(shape == [rows, "batch", H] for shape in shapes.values())
    names = ["x", "state_0", "state_1"] if cell == "lstm" else ["x", "state"]
    lx.export_onnx(
        to_torch(layers), args, tmp_path / "torchs.onnx", input_names=names[: len(report.inputs)]
    )
    own, torchs = (onnx.load(tmp_path / name).graph for name in ("own.onnx", "torchs.onnx"))
    assert own.node == torchs.node
    assert own.initializer == torchs.initializer


def test_an_example_is_guessed() -> None:
    found = guess_arguments(EquationLayers("gru", X, H))
    assert found is not None
    assert found[1] == ("x=2,5,3",)


class LastOfEach(nn.Module):
    """The hidden state at the end of each sequence of a padded batch."""

    def __init__(self, layers: EquationLayers) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.layers(packed)[1]


def test_a_ragged_batch(tmp_path: Path) -> None:
    module = LastOfEach(EquationLayers("gru", X, H, 2, bidirectional=True))
    args = (torch.randn(3, 5, X), torch.tensor([2, 5, 1]))
    report, operators = exported(module, args, tmp_path / "m.onnx")
    assert operators == ["GRU"] * 4
    assert axes(report)["output"] == [4, "batch", H]


class Rewritten(EquationLayers):
    """A class of somebody's own: what its cells do is not taken for granted, but traced."""


@pytest.mark.parametrize(("cell", "bidirectional"), [("lstm", True), ("gru", False)])
def test_the_equations_themselves_are_recognised(
    cell: Any, bidirectional: bool, tmp_path: Path
) -> None:
    layers = Rewritten(cell, X, H, bidirectional=bidirectional)
    report, operators = exported(layers, (torch.randn(2, 5, X),), tmp_path / "m.onnx")
    assert operators == [cell.upper()] * (1 + bidirectional)  # a loop for each direction
    assert report.layers == ()


class OwnLoop(nn.Module):
    """Single cells in a loop that somebody wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = LSTMCell(X, H), GRUCell(H, H)

    def forward(self, x: Tensor) -> Tensor:
        h = g = x.new_zeros(x.shape[0], H)
        state = (h, h)
        for t in range(x.shape[1]):
            # How long a state is does not depend on how many steps there were.
            state = self.first(x[:, t], state if len(state) > 1 else None)
            g = self.second(state[0], g)
        return g


def test_cells_in_a_loop_of_one_s_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _, operators = exported(OwnLoop(), (torch.randn(2, 5, X),), tmp_path / "m.onnx")
    assert operators == ["LSTM", "GRU"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


class ShownOnce(LSTMCell):
    """What is shown depends on the cell state once more, which no LSTM operator does."""

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        h, c = super().forward(x, state)
        return h * torch.sigmoid(c), c


def changed_cell(layers: EquationLayers) -> None:
    layers.forward_cells[0] = ShownOnce(X, H)


def hooked_cell(layers: EquationLayers) -> None:
    def double(cell: nn.Module, args: Any, state: Any) -> Any:
        return 2 * state[0], state[1]

    layers.forward_cells[0].register_forward_hook(double)


def exchanged_forward(layers: EquationLayers) -> None:
    step = layers.forward_cells[0]
    original = step.forward

    def forward(x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        h, c = original(x, state)
        return 2 * h, c

    step.forward = forward


@pytest.mark.parametrize("change", [changed_cell, hooked_cell, exchanged_forward])
def test_changed_equations_are_not_taken_for_the_operator_s(change: Any) -> None:
    layers, x = EquationLayers("lstm", X, H), torch.randn(2, 5, X)
    with recurrent_capture(layers), torch.no_grad():
        assert not layers(x)[0].any()  # what stands for the operator computes nothing
    change(layers)
    expected = layers(x)[0]
    with recurrent_capture(layers):
        assert torch.equal(layers(x)[0], expected)


def test_doctor_finds_the_layers() -> None:
    layers = EquationLayers("rnn", X, H, 2, bidirectional=True, nonlinearity="relu")
    [found] = found_layers(layers)
    assert (found.kind, found.input_size, found.num_layers) == ("RNN with ReLU", X, 2)


class Tagger(nn.Module):
    """An answer at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.head = EquationLayers("lstm", X, H), nn.Linear(H, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x)[0])


def test_a_stream_of_a_bundle_carries_the_states(tmp_path: Path) -> None:
    tagger, x = Tagger().eval(), torch.randn(1, 6, X)
    lx.export_bundle(tagger, tmp_path / "bundle", args=(x,), stream=True)
    stream = lx.load(tmp_path / "bundle").stream()
    steps = [stream.step(row.numpy()) for row in x[0]]
    expected = tagger(x)[0].detach().numpy()
    assert max(abs(got - row).max() for got, row in zip(steps, expected, strict=True)) < 1e-6
