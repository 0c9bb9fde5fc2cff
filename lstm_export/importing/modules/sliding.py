"""Convolutions and pooling over the steps as torch's own modules."""

from __future__ import annotations

from torch import nn

from lstm_export.importing.description import Step
from lstm_export.importing.modules.channels import placed
from lstm_export.importing.modules.fill import fill
from lstm_export.importing.ops import conv1d as conv
from lstm_export.importing.ops.op import Tensors
from lstm_export.importing.ops.pooling import window
from lstm_export.importing.ops.sliding import number


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
        stride=number(step, "stride"),
        padding=before if before == after else 0,
        dilation=number(step, "dilation"),
        groups=number(step, "groups"),
        bias="bias" in tensors,
    )
    fill(module, weight=matrix, bias=tensors.get("bias"))
    inner: nn.Module = module
    if before != after:
        inner = nn.Sequential(nn.ConstantPad1d((before, after), 0.0), module)
    return placed(step, inner)


def max_pool1d(step: Step, tensors: Tensors) -> nn.Module:
    """nn.MaxPool1d."""
    return placed(step, nn.MaxPool1d(*window(step)))


def avg_pool1d(step: Step, tensors: Tensors) -> nn.Module:
    """nn.AvgPool1d."""
    counted = bool(step.options.get("count_include_pad", True))
    return placed(step, nn.AvgPool1d(*window(step), count_include_pad=counted))
