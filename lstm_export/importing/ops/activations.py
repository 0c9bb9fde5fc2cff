"""Activations: the same at every position, and the softmaxes along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

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


def negative_part(a: Float) -> Float:
    """min(a, 0), so that an exponential of it cannot overflow."""
    return np.minimum(a, 0.0)


def _op(name: str, function: Callable[..., Float], options: dict[str, Option] | None = None) -> Op:
    given = options or {}

    def axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
        along = step.options.get("axis", -1)
        if not -len(inputs[0]) <= along < len(inputs[0]):
            raise misfit(step, f"the input {shown(inputs[0])} has no axis {along}")
        return (inputs[0],)

    def oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
        values = {key: step.options.get(key, option.default) for key, option in given.items()}
        return (function(np.asarray(inputs[0], dtype=np.float64), **values),)

    return Op(name, axes, oracle, given)


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
    _op(
        "elu",
        lambda a, alpha: np.where(a > 0, a, alpha * np.expm1(negative_part(a))),
        {"alpha": Option(float, 1.0)},
    ),
    # log(1 + exp(a)) = max(a, 0) + log(1 + exp(−|a|)), which cannot overflow.
    _op("softplus", lambda a: np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a)))),
)
