"""From torch's named weights to layers: every weight found, of the right shape, and used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Recurrent
from lstm_export.errors import ContractError
from lstm_export.oracle import gru, lstm, rnn
from lstm_export.oracle.layer import Array, LayerWeights

Weights = Mapping[str, npt.NDArray[Any]]
_GATES = {"lstm": lstm.GATES, "gru": gru.GATES, "rnn": rnn.GATES}


def layers_of(spec: Recurrent, weights: Weights) -> tuple[tuple[LayerWeights, ...], ...]:
    """The layers of `spec`, each with one entry per direction, the forward one first.

    `weights` are named as torch names them: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0,
    weight_hr_l0, and the same with `_reverse`. Biases may be absent altogether. Raises
    ContractError for a weight that is missing, left over, of a wrong shape or dtype.
    """
    biased = any(name.startswith("bias_") for name in weights)
    expected = _shapes(spec, biased)
    problems = [f"{name} is missing" for name in expected if name not in weights]
    problems += [f"{name} is not used" for name in weights if name not in expected]
    for name, shape in expected.items():
        if name in weights and weights[name].shape != shape:
            problems.append(f"{name}: expected shape {shape}, got {weights[name].shape}")
        if name in weights and weights[name].dtype.kind != "f":
            problems.append(f"{name}: expected floats, got {weights[name].dtype}")
    if problems:
        raise ContractError(f"the weights do not fit {spec}: {'; '.join(problems)}")
    return tuple(
        tuple(
            _layer(spec, weights, f"l{layer}{suffix}", biased)
            for suffix in ("", "_reverse")[: spec.num_directions]
        )
        for layer in range(spec.num_layers)
    )


def _layer(spec: Recurrent, weights: Weights, suffix: str, biased: bool) -> LayerWeights:
    def weight(kind: str) -> Array:
        # float32 is contained in float64: nothing is rounded here.
        return np.asarray(weights[f"{kind}_{suffix}"], dtype=np.float64)

    no_bias = np.zeros(_GATES[spec.cell] * spec.hidden_size)
    return LayerWeights(
        weight_ih=weight("weight_ih"),
        weight_hh=weight("weight_hh"),
        bias_ih=weight("bias_ih") if biased else no_bias,
        bias_hh=weight("bias_hh") if biased else no_bias,
        weight_hr=weight("weight_hr") if spec.proj_size else None,
    )


def _shapes(spec: Recurrent, biased: bool) -> dict[str, tuple[int, ...]]:
    rows = _GATES[spec.cell] * spec.hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(spec.num_layers):
        columns = spec.state_size * spec.num_directions if layer else spec.input_size
        for suffix in ("", "_reverse")[: spec.num_directions]:
            end = f"l{layer}{suffix}"
            shapes[f"weight_ih_{end}"] = (rows, columns)
            shapes[f"weight_hh_{end}"] = (rows, spec.state_size)
            if biased:
                shapes[f"bias_ih_{end}"] = shapes[f"bias_hh_{end}"] = (rows,)
            if spec.proj_size:
                shapes[f"weight_hr_{end}"] = (spec.proj_size, spec.hidden_size)
    return shapes
