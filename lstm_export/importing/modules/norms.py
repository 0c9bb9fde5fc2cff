"""Norms as torch's own modules."""

from __future__ import annotations

from torch import nn

from lstm_export.importing.description import Step
from lstm_export.importing.modules.channels import placed
from lstm_export.importing.modules.fill import fill
from lstm_export.importing.ops import norms
from lstm_export.importing.ops.op import Tensors


def layer_norm(step: Step, tensors: Tensors) -> nn.Module:
    """nn.LayerNorm over the last axis."""
    module = nn.LayerNorm(norms.size(step, tensors), eps=norms.eps(step))
    return _scaled(module, step, tensors)


def rms_norm(step: Step, tensors: Tensors) -> nn.Module:
    """nn.RMSNorm over the last axis."""
    module = nn.RMSNorm(norms.size(step, tensors), eps=norms.eps(step))
    fill(module, weight=tensors[norms.roles(step)[0]])
    return module


def batch_norm(step: Step, tensors: Tensors) -> nn.Module:
    """nn.BatchNorm1d with the statistics of training."""
    module = nn.BatchNorm1d(norms.size(step, tensors), eps=norms.eps(step))
    _, _, mean, variance = norms.roles(step)
    fill(module, running_mean=tensors[mean], running_var=tensors[variance])
    return placed(step, _scaled(module, step, tensors))


def group_norm(step: Step, tensors: Tensors) -> nn.Module:
    """nn.GroupNorm."""
    size = norms.size(step, tensors)
    module = nn.GroupNorm(norms.groups(step, size), size, eps=norms.eps(step))
    return placed(step, _scaled(module, step, tensors))


def _scaled(module: nn.Module, step: Step, tensors: Tensors) -> nn.Module:
    scale, shift = norms.roles(step)[:2]
    fill(module, weight=tensors.get(scale), bias=tensors.get(shift))
    return module
