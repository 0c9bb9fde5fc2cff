"""Attention weights are read twice before they are multiplied, and only those are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lstm_export


class Around(nn.Module):
    """What is made of an LSTM's output."""

    def __init__(self, made: Callable[[Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rnn, self.made = nn.LSTM(3, 6, batch_first=True), made

    def forward(self, x: Tensor) -> Any:
        return self.made(self.rnn(x)[0])


def scaled(y: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(y, y, y)


def by_hand(y: Tensor) -> Tensor:
    weights = torch.softmax(y[:, -1:] @ y.transpose(1, 2), -1)
    return (weights / weights.sum(-1, keepdim=True)) @ y


def pooled(y: Tensor) -> Tensor:
    return torch.softmax(y.sum(-1, keepdim=True), 1).transpose(1, 2) @ y


def classes(y: Tensor) -> Tensor:
    return torch.softmax(y[:, -1], -1)


def given(y: Tensor) -> Any:
    weights = torch.softmax(y @ y.transpose(1, 2), -1)
    return weights @ y, weights


@pytest.mark.parametrize(
    ("made", "times"), [(scaled, 1), (by_hand, 0), (pooled, 1), (classes, 0), (given, 0)]
)
def test_weights_of_a_product_are_read_twice(made: Any, times: int, tmp_path: Path) -> None:
    answers, found = [], []
    x = np.random.default_rng(0).normal(size=(2, 9, 3)).astype(np.float32)
    for target in ("portable", "onnxruntime"):
        path = tmp_path / f"{target}.onnx"
        lstm_export.export_onnx(Around(made).eval(), (torch.randn(2, 5, 3),), path, target=target)
        nodes = onnx.load(path).graph.node
        softmax = next(node.output[0] for node in nodes if node.op_type == "Softmax")
        found.append(sum(list(node.input) == [softmax] * 2 for node in nodes))
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        answers.append(session.run(None, {"x": x})[0].tobytes())
    assert found == [times, 0]
    assert answers[0] == answers[1]
