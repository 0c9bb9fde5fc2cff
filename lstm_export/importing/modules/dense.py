"""Embeddings, linear layers and learnt slopes as torch's own modules."""

from __future__ import annotations

from torch import nn

from lstm_export.importing.description import Step
from lstm_export.importing.modules.channels import placed
from lstm_export.importing.modules.fill import fill
from lstm_export.importing.ops.embedding import TABLE
from lstm_export.importing.ops.linear import MATRIX
from lstm_export.importing.ops.op import Tensors
from lstm_export.importing.ops.prelu import slopes


def embedding(step: Step, tensors: Tensors) -> nn.Module:
    """nn.Embedding."""
    table = tensors[TABLE[step.layout]]
    module = nn.Embedding(*table.shape)
    fill(module, weight=table)
    return module


def linear(step: Step, tensors: Tensors) -> nn.Module:
    """nn.Linear; Keras's kernel is turned."""
    matrix = tensors[MATRIX[step.layout]]
    if step.layout == "keras":
        matrix = matrix.T
    module = nn.Linear(matrix.shape[1], matrix.shape[0], bias="bias" in tensors)
    fill(module, weight=matrix, bias=tensors.get("bias"))
    return module


def prelu(step: Step, tensors: Tensors) -> nn.Module:
    """nn.PReLU."""
    weight = slopes(step, tensors)
    module = nn.PReLU(len(weight))
    fill(module, weight=weight)
    return placed(step, module)
