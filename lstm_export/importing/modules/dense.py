"""Embeddings, linear layers, norms and convolutions as torch's own modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lstm_export.importing.description import Step
from lstm_export.importing.ops import conv1d as conv
from lstm_export.importing.ops import norms
from lstm_export.importing.ops.embedding import TABLE
from lstm_export.importing.ops.linear import MATRIX
from lstm_export.importing.ops.op import Tensors


def _fill(module: nn.Module, **values: Any) -> None:
    """Copies arrays into the parameters and buffers of those names; None leaves them alone."""
    with torch.no_grad():
        for name, value in values.items():
            if value is not None:
                getattr(module, name).copy_(torch.tensor(np.asarray(value, dtype=np.float64)))


def embedding(step: Step, tensors: Tensors) -> nn.Module:
    """nn.Embedding."""
    table = tensors[TABLE[step.layout]]
    module = nn.Embedding(*table.shape)
    _fill(module, weight=table)
    return module


def linear(step: Step, tensors: Tensors) -> nn.Module:
    """nn.Linear; Keras's kernel is turned."""
    matrix = tensors[MATRIX[step.layout]]
    if step.layout == "keras":
        matrix = matrix.T
    module = nn.Linear(matrix.shape[1], matrix.shape[0], bias="bias" in tensors)
    _fill(module, weight=matrix, bias=tensors.get("bias"))
    return module


def layer_norm(step: Step, tensors: Tensors) -> nn.Module:
    """nn.LayerNorm over the last axis."""
    module = nn.LayerNorm(norms.size(step, tensors), eps=norms.eps(step))
    scale, shift = norms.SCALE[step.layout], norms.SHIFT[step.layout]
    _fill(module, weight=tensors.get(scale), bias=tensors.get(shift))
    return module


class _ChannelsLast(nn.Module):
    """A layer that wants (batch, features, sequence_length), given (batch, sequence_length, …)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() < 3:
            result: Tensor = self.inner(x)
        else:
            result = self.inner(x.transpose(1, -1)).transpose(1, -1)
        return result


def batch_norm(step: Step, tensors: Tensors) -> nn.Module:
    """nn.BatchNorm1d with the statistics of training."""
    module = nn.BatchNorm1d(norms.size(step, tensors), eps=norms.eps(step))
    layout = step.layout
    _fill(
        module,
        weight=tensors.get(norms.SCALE[layout]),
        bias=tensors.get(norms.SHIFT[layout]),
        running_mean=tensors[norms.MEAN[layout]],
        running_var=tensors[norms.VARIANCE[layout]],
    )
    return module if step.options.get("channels", "last") == "first" else _ChannelsLast(module)


def conv1d(step: Step, tensors: Tensors) -> nn.Module:
    """nn.Conv1d, after the zeros that its padding asks for."""
    input_size, output_size, kernel_size = conv.sizes(step, tensors)
    matrix = tensors[conv.MATRIX[step.layout]]
    if step.layout == "keras":
        matrix = matrix.transpose(2, 1, 0)
    before, after = conv.padding(step, kernel_size)
    module = nn.Conv1d(
        input_size,
        output_size,
        kernel_size,
        stride=conv.number(step, "stride"),
        padding=before if before == after else 0,
        dilation=conv.number(step, "dilation"),
        groups=conv.number(step, "groups"),
        bias="bias" in tensors,
    )
    _fill(module, weight=matrix, bias=tensors.get("bias"))
    inner: nn.Module = module
    if before != after:
        inner = nn.Sequential(nn.ConstantPad1d((before, after), 0.0), module)
    return inner if step.options.get("channels", "last") == "first" else _ChannelsLast(inner)
