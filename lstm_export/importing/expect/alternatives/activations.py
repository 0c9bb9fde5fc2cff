"""Activations that no weights tell of: behind the outputs, and between layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_export.importing.expect.alternatives.alternative import (
    RECURRENT,
    STEP_OPS,
    Alternative,
    called,
)
from lstm_export.importing.expect.alternatives.norms import NORMS
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import changed, inserted, removed, swapped
from lstm_export.importing.expect.expected import Float
from lstm_export.importing.layers.layers import Layers
from lstm_export.importing.ops.registry import OPS

_BETWEEN: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("relu", {}),
    ("tanh", {}),
    ("gelu", {}),
    ("leaky_relu", {}),
    ("elu", {}),
    ("silu", {}),
    ("sigmoid", {}),
    ("leaky_relu", {"slope": 0.2}),
    ("gelu", {"approximate": "tanh"}),
    ("softplus", {}),
    *((name, {}) for name in ("selu", "mish", "relu6", "softsign", "hardtanh", "hardswish")),
    *((name, {}) for name in ("hardsigmoid", "log_sigmoid", "exp")),
)
_BEHIND: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("sigmoid", {}),
    ("softmax", {}),
    ("tanh", {}),
    ("log_softmax", {}),
    ("relu", {}),
    ("softplus", {}),
    *((name, options) for name, options in _BETWEEN if name not in ("relu", "tanh", "sigmoid")),
)
_SUM = 1e-3
ACTIVATIONS = frozenset((*(name for name, _ in _BETWEEN), *(name for name, _ in _BEHIND)))
_LAYERS = ("linear", *NORMS, "conv1d", "concat", *RECURRENT)


def final_activation(case: Case) -> Iterator[Alternative]:
    """Behind each output."""
    layers = case.layers
    for name in layers.outputs:
        index = next((i for i, step in enumerate(layers.steps) if step.outputs[0] == name), None)
        if index is not None:
            where = "the output" if len(layers.outputs) == 1 else f"the output {name}"
            yield from _at(layers, index, _BEHIND, f"behind {where}", f"end {name}")


def told(op: str, values: Float) -> bool:
    """Whether the outputs themselves look as if `op` had given them."""
    last = values.shape[-1] if values.ndim > 1 else 1
    shares = {"softmax": values, "log_softmax": np.exp(np.minimum(values, 1.0))}
    if op in shares:
        return last > 1 and bool(np.abs(shares[op].sum(axis=-1) - 1).max() < _SUM)
    if op == "sigmoid":
        return not told("softmax", values) and bool(values.min() >= 0 and values.max() <= 1)
    return op == "relu" and bool(values.min() == 0)


def activations_between(case: Case) -> Iterator[Alternative]:
    """Behind each layer that is not an output, and behind the step that is taken of one."""
    layers = case.layers
    for index, step in enumerate(layers.steps):
        name = step.outputs[0]
        follow = [i for i, other in enumerate(layers.steps) if name in other.inputs]
        taken = any(layers.steps[i].op in STEP_OPS for i in follow)
        activated = any(
            layers.steps[i].op in ACTIVATIONS and layers.steps[i].outputs[0] in layers.outputs
            for i in follow
        )
        if name in layers.outputs or taken or activated or step.op not in (*_LAYERS, *STEP_OPS):
            continue
        where = called(layers, index)
        yield from _at(layers, index, _BETWEEN, f"behind {where}", f"slot {index}")


def rnn_activation(case: Case) -> Iterator[Alternative]:
    """nn.RNN(nonlinearity="relu")."""
    for index, step in enumerate(case.layers.steps):
        if step.op == "rnn":
            before = step.options.get("activation", "tanh")
            after = "relu" if before == "tanh" else "tanh"
            layers = changed(case.layers, index, activation=after)
            name = called(case.layers, index)
            yield Alternative(
                f"{name} has {after} where {before} was taken", layers, f"rnn {index}"
            )


def _at(
    layers: Layers,
    index: int,
    choices: Sequence[tuple[str, Mapping[str, Any]]],
    where: str,
    place: str,
) -> Iterator[Alternative]:
    """Every choice behind step `index`, or instead of the activation that is there: in it where it
    is one itself, or as the only one that reads it."""
    at, there = index + 1, _activation_at(layers, index)
    if there is not None:
        at, now = there, layers.steps[there].op
        bare = removed(layers, at)
        if bare is not None:
            where = f"behind {called(layers, at - 1)}" if at == index else where
            yield Alternative(f"no {now} stands {where}", bare, place)
        for op, options in choices:
            same = op == now and options == dict(layers.steps[at].options)
            if op in OPS and not same:
                other = swapped(layers, at, op, options)
                yield Alternative(f"{_said(op, options)} stands {where}, not {now}", other, place)
        return
    for op, options in choices:
        if op in OPS:
            more = inserted(layers, index, op, options)
            yield Alternative(f"{_said(op, options)} stands {where}", more, place)


def _activation_at(layers: Layers, index: int) -> int | None:
    if layers.steps[index].op in ACTIVATIONS:
        return index
    name = layers.steps[index].outputs[0]
    follow = [i for i, step in enumerate(layers.steps) if name in step.inputs]
    return follow[0] if len(follow) == 1 and layers.steps[follow[0]].op in ACTIVATIONS else None


def _said(op: str, options: Mapping[str, Any]) -> str:
    inside = ", ".join(f"{key}={value}" for key, value in options.items())
    return f"{op}({inside})" if inside else op
