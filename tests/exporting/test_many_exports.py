"""Many exports of different models in one process, the last as dynamic and right as the first.

torch's own exporter gives one good export of each kind of recurrent layer in a process; after it,
lengths are baked in.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import lstm_export

COUNT = 50
SHAPES = [(4, 9), (1, 1), (3, 31)]
HEADS = ["last", "all", "mean", "states", "attention", "embedded", "convolved", "normed", "dict"]


class Model(nn.Module):
    """Recurrent layers between a front end and a head."""

    def __init__(self, cell: str, head: str, input_size: int, hidden: int, **options: Any) -> None:
        super().__init__()
        self.kind = head
        self.table = nn.Embedding(11, input_size)
        self.convolution = nn.Conv1d(input_size, input_size, 3, padding=1)
        self.layers = getattr(nn, cell)(input_size, hidden, batch_first=True, **options)
        width = hidden * (2 if self.layers.bidirectional else 1)
        self.norm, self.score = nn.LayerNorm(width), nn.Linear(width, 1)
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Any:
        if self.kind == "embedded":
            x = self.table(x)
        if self.kind == "convolved":
            x = self.convolution(x.transpose(1, 2)).transpose(1, 2)
        y, state = self.layers(x)
        h = state[0] if isinstance(state, tuple) else state
        if self.kind == "all":
            return self.head(y)
        if self.kind == "mean":
            return torch.relu(self.head(y.mean(1)))
        if self.kind == "states":
            return y, h, *(state[1:] if isinstance(state, tuple) else ())
        if self.kind == "attention":
            return self.head((torch.softmax(self.score(y), 1) * y).sum(1))
        if self.kind == "normed":
            return self.head(self.norm(y)).flatten(0, 1)
        if self.kind == "dict":
            return {"last": h[-1], "probabilities": torch.softmax(self.head(y), -1)}
        return self.head(y[:, -1])


def models() -> list[Model]:
    """Fifty that differ in several respects each."""
    kinds = itertools.product(("LSTM", "GRU", "RNN"), HEADS, (False, True))
    found = []
    for number, (cell, head, bidirectional) in enumerate(itertools.islice(kinds, COUNT)):
        torch.manual_seed(number)
        layers = 1 + number % 3
        found.append(
            Model(
                cell,
                head,
                1 + number % 7,
                4 + number % 5,
                num_layers=layers,
                bidirectional=bidirectional,
                bias=number % 4 != 3,
                dropout=0.3 if layers > 1 else 0.0,
            ).eval()
        )
    return found


def example(model: Model, batch: int, length: int) -> Tensor:
    generator = torch.Generator().manual_seed(batch * 1000 + length)
    if model.kind == "embedded":
        return torch.randint(11, (batch, length), generator=generator)
    return torch.randn(batch, length, model.layers.input_size, generator=generator)


def leaves(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    return list(result.values() if isinstance(result, dict) else result)


def assert_dynamic_and_right(model: Model, path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[:2] == ["batch", "sequence_length"]
    for batch, length in SHAPES:
        x = example(model, batch, length)
        got = session.run(None, {"x": x.numpy()})
        with torch.no_grad():
            usual = leaves(model(x))
            exact = leaves(model.double()(x.double() if x.is_floating_point() else x))
            model.float()
        for value, torch_value, reference in zip(got, usual, exact, strict=True):
            assert value.shape == tuple(reference.shape)
            own = (torch_value - reference).abs().max().item()
            bound = max(4 * own, 2e-6 * reference.abs().max().item())
            assert np.abs(value - reference.numpy()).max() <= bound, (batch, length)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_models_one_after_another(tmp_path: Path, every: int) -> None:
    made = models()[::every]
    contents = []
    for number, model in enumerate(made):
        path = tmp_path / f"{number}.onnx"
        report = lstm_export.export_onnx(model, (example(model, 2, 5),), path, verify=False)
        assert all(axis.dynamic for axis in report.inputs[0].axes[:2])
        assert_dynamic_and_right(model, path)
        contents.append(path.read_bytes())
    assert len(set(contents)) == len(made)
    # What came in between leaves no trace.
    for number in (0, len(made) // 2):
        again = tmp_path / "again.onnx"
        lstm_export.export_onnx(made[number], (example(made[number], 3, 8),), again, verify=False)
        assert again.read_bytes() == contents[number]
