"""Layers on top of each other, in one direction or two, as torch.nn.LSTM, GRU and RNN run them.

Layer l reads the output of layer l−1. With two directions the second one reads the sequence from
its end to its start, and both outputs stand beside each other at every step. The state of layer
l, direction d, is row `l * num_directions + d` of h and c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Recurrent
from lstm_export.errors import ContractError, InputError
from lstm_export.oracle.gru import gru
from lstm_export.oracle.layer import Array, LayerWeights, State
from lstm_export.oracle.lstm import lstm
from lstm_export.oracle.rnn import rnn
from lstm_export.oracle.weights import Weights, layers_of

Layer = Callable[[Array, LayerWeights, State], tuple[Array, State]]
_CELLS: dict[str, Layer] = {"lstm": lstm, "gru": gru, "rnn": rnn}


def run(
    spec: Recurrent,
    weights: Weights,
    x: npt.NDArray[Any],
    initial_h: npt.NDArray[Any] | None = None,
    initial_c: npt.NDArray[Any] | None = None,
) -> tuple[Array, Array, Array | None]:
    """y (batch, sequence_length, num_directions * state_size), final_h and, for an LSTM, final_c.

    x is (batch, sequence_length, input_size); states are (num_layers * num_directions, batch,
    state_size) for h and (…, hidden_size) for c, zeros where absent. Everything is computed in
    float64; float32 comes in exactly. Raises InputError for arrays of a wrong shape and
    ContractError for weights that do not fit.
    """
    if spec.proj_size and spec.cell != "lstm":
        raise ContractError(f"only an LSTM has a projection, not a {spec.cell}")
    if initial_c is not None and spec.cell != "lstm":
        raise InputError(f"a {spec.cell} has no initial_c")
    sequence = np.asarray(x, dtype=np.float64)
    if sequence.ndim != 3 or sequence.shape[2] != spec.input_size or 0 in sequence.shape:
        raise InputError(
            f"x: expected (batch, sequence_length, {spec.input_size}), none of them 0, "
            f"got {sequence.shape}"
        )
    batch, rows = sequence.shape[0], spec.num_layers * spec.num_directions
    h = _state("initial_h", initial_h, (rows, batch, spec.state_size))
    c = _state("initial_c", initial_c, (rows, batch, spec.hidden_size))
    final_h, final_c = np.empty_like(h), np.empty_like(c)

    for layer, directions in enumerate(layers_of(spec, weights)):
        outputs = []
        for direction, parameters in enumerate(directions):
            row = layer * spec.num_directions + direction
            state = (h[row], c[row]) if spec.cell == "lstm" else (h[row],)
            backward = direction == 1
            seen = sequence[:, ::-1] if backward else sequence
            y, last = _CELLS[spec.cell](seen, parameters, state)
            outputs.append(y[:, ::-1] if backward else y)
            final_h[row] = last[0]
            if spec.cell == "lstm":
                final_c[row] = last[1]
        sequence = np.concatenate(outputs, axis=2)
    return sequence, final_h, final_c if spec.cell == "lstm" else None


def _state(name: str, given: npt.NDArray[Any] | None, shape: tuple[int, ...]) -> Array:
    if given is None:
        return np.zeros(shape)
    if given.shape != shape:
        raise InputError(f"{name}: expected {shape}, got {given.shape}")
    return np.asarray(given, dtype=np.float64)
