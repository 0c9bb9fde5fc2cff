"""Activations: the same at every position, and the softmaxes along an axis.

The formulas are those of torch.nn's modules of these names. Keras's hard_sigmoid is
hardsigmoid(slope=0.2) up to Keras 2 and torch's own from Keras 3 on; swish is silu, and clamping
between two numbers is hardtanh(min=…, max=…).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import Axes, Float, Op, Option, Tensors, misfit, shown
from lstm_export.importing.raw import Array


def sigmoid(a: Float) -> Float:
    """1 / (1 + exp(−a)), without overflow: the exponent is never positive."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1 / (1 + e), e / (1 + e))


def gelu(a: Float, approximate: str) -> Float:
    """a Φ(a), or the tanh approximation; Hendrycks and Gimpel (2016)."""
    if approximate == "tanh":
        inner: Float = np.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))
    else:
        inner = np.vectorize(math.erf, otypes=[np.float64])(a / math.sqrt(2))
    return 0.5 * a * (1 + inner)


def log_softmax(a: Float, axis: int) -> Float:
    """a − log Σ exp(a) along `axis`, without overflow."""
    shifted = a - a.max(axis=axis, keepdims=True)
    result: Float = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return result


def softplus(a: Float, beta: float) -> Float:
    """log(1 + exp(βa)) / β, as (max(βa, 0) + log(1 + exp(−|βa|))) / β, which cannot overflow."""
    result: Float = (np.maximum(beta * a, 0.0) + np.log1p(np.exp(-np.abs(beta * a)))) / beta
    return result


def elu(a: Float, alpha: float) -> Float:
    """a above 0, α (exp(a) − 1) below; Clevert et al. (2016)."""
    return np.where(a > 0, a, alpha * np.expm1(np.minimum(a, 0.0)))


def celu(a: Float, alpha: float) -> Float:
    """a above 0, α (exp(a / α) − 1) below, α > 0; Barron (2017)."""
    result: Float = np.maximum(a, 0.0) + alpha * np.expm1(np.minimum(a, 0.0) / alpha)
    return result


def exponential(a: Float) -> Float:
    """exp(a), infinite where a float64 cannot hold it."""
    with np.errstate(over="ignore"):
        return np.exp(a)


Problem = Callable[[Mapping[str, Any]], str | None]
"""What is expected of an activation's options together, or None where they fit."""


def _op(
    name: str,
    function: Callable[..., Float],
    options: dict[str, Option] | None = None,
    problem: Problem = lambda values: None,
) -> Op:
    given = options or {}

    def values(step: Step) -> dict[str, Any]:
        return {key: step.options.get(key, option.default) for key, option in given.items()}

    def axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
        along = step.options.get("axis", -1)
        if not -len(inputs[0]) <= along < len(inputs[0]):
            raise misfit(step, f"the input {shown(inputs[0])} has no axis {along}")
        if (expected := problem(values(step))) is not None:
            raise misfit(step, f"expected {expected}")
        return (inputs[0],)

    def oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
        return (function(np.asarray(inputs[0], dtype=np.float64), **values(step)),)

    return Op(name, axes, oracle, given, keeps=True)


def _positive(name: str) -> Problem:
    return lambda values: None if values[name] > 0 else f"{name} above 0, got {values[name]}"


def _ordered(values: Mapping[str, Any]) -> str | None:
    low, high = values["min"], values["max"]
    return None if low < high else f"a min below max, got {low} and {high}"


# Klambauer et al. (2017): the pair for which mean 0 and variance 1 are a fixed point.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
_AXIS = {"axis": Option(int, -1)}
ACTIVATIONS = (
    _op("relu", lambda a: np.maximum(a, 0.0)),
    _op("tanh", np.tanh),
    _op("sigmoid", sigmoid),
    _op("softmax", lambda a, axis: np.exp(log_softmax(a, axis)), _AXIS),
    _op("log_softmax", log_softmax, _AXIS),
    _op("gelu", gelu, {"approximate": Option(str, "none", ("none", "tanh"))}),
    _op(
        "leaky_relu",
        lambda a, slope: np.where(a >= 0, a, slope * a),
        {"slope": Option(float, 0.01)},
    ),
    _op("elu", elu, {"alpha": Option(float, 1.0)}),
    _op("celu", celu, {"alpha": Option(float, 1.0)}, _positive("alpha")),
    _op("selu", lambda a: SELU_SCALE * elu(a, SELU_ALPHA)),
    _op("softplus", softplus, {"beta": Option(float, 1.0)}, _positive("beta")),
    _op("softsign", lambda a: a / (1 + np.abs(a))),
    _op("silu", lambda a: a * sigmoid(a)),
    _op("mish", lambda a: a * np.tanh(softplus(a, 1.0))),
    _op("log_sigmoid", lambda a: -softplus(-a, 1.0)),
    _op("relu6", lambda a: np.clip(a, 0.0, 6.0)),
    _op(
        "hardtanh",
        lambda a, min, max: np.clip(a, min, max),
        {"min": Option(float, -1.0), "max": Option(float, 1.0)},
        _ordered,
    ),
    _op(
        "hardsigmoid",
        lambda a, slope: np.clip(slope * a + 0.5, 0.0, 1.0),
        {"slope": Option(float, 1 / 6)},
    ),
    _op("hardswish", lambda a: a * np.clip(a + 3, 0.0, 6.0) / 6),
    _op("exp", exponential),
    # What turns normalised values back: value · factor + offset.
    _op(
        "scale",
        lambda a, factor, offset: a * factor + offset,
        {"factor": Option(float, 1.0), "offset": Option(float, 0.0)},
    ),
)
