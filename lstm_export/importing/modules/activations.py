"""Activations as torch's own modules."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from lstm_export.importing.description import Step
from lstm_export.importing.modules.plain import Plain
from lstm_export.importing.ops.op import Tensors
from lstm_export.importing.ops.registry import OPS


def activation(step: Step, tensors: Tensors) -> nn.Module:
    """The activation with the options of `step`."""
    option = {key: OPS[step.op].option(step, key) for key in OPS[step.op].options}
    made: dict[str, Callable[[], nn.Module]] = {
        "relu": nn.ReLU,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "softmax": lambda: nn.Softmax(option["axis"]),
        "log_softmax": lambda: nn.LogSoftmax(option["axis"]),
        "gelu": lambda: nn.GELU(option["approximate"]),
        "leaky_relu": lambda: nn.LeakyReLU(option["slope"]),
        "elu": lambda: nn.ELU(option["alpha"]),
        "celu": lambda: nn.CELU(option["alpha"]),
        "selu": nn.SELU,
        # torch calls it linear from a threshold of 20 on, where it is off by 2e-9.
        "softplus": lambda: nn.Softplus(option["beta"], threshold=40.0),
        "softsign": nn.Softsign,
        "silu": nn.SiLU,
        "mish": nn.Mish,
        "log_sigmoid": nn.LogSigmoid,
        "relu6": nn.ReLU6,
        "hardtanh": lambda: nn.Hardtanh(option["min"], option["max"]),
        "hardsigmoid": lambda: _hardsigmoid(step, option["slope"]),
        "hardswish": nn.Hardswish,
        "exp": lambda: Plain(torch.exp),
        "scale": lambda: Plain(lambda x: x * option["factor"] + option["offset"]),
    }
    return made[step.op]()


def _hardsigmoid(step: Step, slope: float) -> nn.Module:
    """torch has its own slope alone."""
    if "slope" not in step.options:
        return nn.Hardsigmoid()
    return Plain(lambda x: (x * slope + 0.5).clamp(0.0, 1.0))
