"""Constructs around the layers that a runtime gets wrong, as the portable target writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import lstm_export
from lstm_export.bundle.onnx_file import read_onnx
from lstm_export.contract import Contract
from lstm_export.parity.runtimes.registry import Subject, adapter

SHAPES = [(1, 1), (1, 7), (3, 1), (2, 3), (2, 20), (2, 1), (2, 21)]
"""(batch, sequence_length) on one loaded model, a single step first: attention fails so."""


class Model(nn.Module):
    """What the functions below are made of; x is (batch, sequence_length, 3)."""

    def __init__(self, made: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rnn, self.first = nn.LSTM(3, 8, batch_first=True), nn.Linear(3, 8)
        self.next, self.heads = nn.Linear(8, 8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.made = made

    def forward(self, x: Tensor) -> Tensor:
        return self.made(self, x)


def free_running(self: Any, x: Tensor) -> Tensor:
    states = [torch.tanh(self.first(x[:, 0]))]
    for _ in range(x.size(1)):
        states.append(torch.tanh(self.next(states[-1])))
    return torch.stack(states[1:], 1)


def final_state(self: Any, x: Tensor) -> Tensor:
    h = torch.tanh(self.first(x[:, 0]))
    for _ in range(x.size(1)):
        h = torch.tanh(self.next(h))
    return h


def attention(self: Any, x: Tensor) -> Tensor:
    y = self.rnn(x)[0]
    return F.scaled_dot_product_attention(self.next(y), y, y)


def attention_of_heads(self: Any, x: Tensor) -> Tensor:
    y = self.rnn(x)[0]
    attended: Tensor = self.heads(y, y, y, need_weights=False)[0]
    return attended


def gelu(self: Any, x: Tensor) -> Tensor:
    return F.gelu(self.next(F.gelu(self.rnn(x)[0])))


def gelu_of_tanh(self: Any, x: Tensor) -> Tensor:
    return F.gelu(self.next(self.rnn(x)[0]), approximate="tanh")


MADE = (free_running, final_state, attention, attention_of_heads, gelu, gelu_of_tanh)
REFUSED = {("opencv", made.__name__): "parse error" for made in (free_running, final_state)}
"""What has no Scan says so when the graph is loaded."""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Path]:
    """A function from what is made of the layers to its file."""
    folder = tmp_path_factory.mktemp("constructs")

    def export(made: Any) -> Path:
        path = folder / f"{made.__name__}.onnx"
        if not path.exists():
            lstm_export.export_onnx(Model(made).eval(), (torch.randn(2, 5, 3),), path)
        return path

    return export


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime-openvino", "opencv", "tract"])
def test_every_shape_on_one_loaded_model(
    need: Callable[[str], None], exported: Any, runtime: str, made: Any
) -> None:
    need(runtime)
    path = exported(made)
    contract = Contract("module", read_onnx(path).spec)
    subject = Subject(path.name, path.read_bytes(), path, contract)
    if (runtime, made.__name__) in REFUSED:
        with pytest.raises(Exception, match=REFUSED[runtime, made.__name__]):
            adapter(runtime)(subject)
        return
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    runner = adapter(runtime)(subject)
    for number, shape in enumerate(SHAPES):
        x = np.random.default_rng(number).normal(size=(*shape, 3)).astype(np.float32)
        (expected,) = session.run(None, {"x": x})
        got = runner({"x": x})["output"]
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6, err_msg=str(shape))
    runner.close()


class Final(nn.Module):
    """The states of two directions after the last step of each sequence."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rnn = nn.LSTM(3, 6, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        rows = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        h, c = self.rnn(rows)[1]
        return h, c


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime-openvino", "opencv", "tract"])
def test_padding_leaves_the_final_c_alone(
    need: Callable[[str], None], tmp_path: Path, runtime: str
) -> None:
    need(runtime)
    module, path = Final().eval(), tmp_path / "final.onnx"
    lstm_export.export_onnx(module, (torch.randn(3, 7, 3), torch.tensor([4, 7, 2])), path)
    spec = read_onnx(path).spec
    names = [tensor.name for tensor in spec.inputs]
    runner = adapter(runtime)(Subject(path.name, path.read_bytes(), path, Contract("module", spec)))
    for lengths, padding in (([4, 7, 2], 1e30), ([1, 20], np.nan), ([30, 3, 9], 0.0)):
        x = torch.randn(len(lengths), max(lengths), 3)
        with torch.no_grad():
            expected = module(x, torch.tensor(lengths))
        for row, length in zip(x, lengths, strict=True):
            row[length:] = padding
        got = runner(dict(zip(names, [x.numpy(), np.array(lengths)], strict=True)))
        for tensor, wanted in zip(spec.outputs, expected, strict=True):
            np.testing.assert_allclose(got[tensor.name], wanted.numpy(), rtol=0, atol=2e-6)
    runner.close()
