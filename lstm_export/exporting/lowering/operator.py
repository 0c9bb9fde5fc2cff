"""One ONNX LSTM, GRU or RNN node, or what stands for it where a runtime would get it wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from lstm_export.contract import Cell
from lstm_export.exporting.lowering.builder import Builder
from lstm_export.exporting.lowering.layers import Layers
from lstm_export.exporting.lowering.relu_steps import relu_steps
from lstm_export.exporting.target import Target

_ONNX_OP: dict[Cell, str] = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}


def recurrent_operator(
    builder: Builder,
    layers: Layers,
    inputs: Sequence[ir.Value],
    states: Sequence[ir.Value | None],
    *,
    target: Target,
    directions: int,
    sequence_lens: ir.Value | None = None,
) -> list[ir.Value]:
    """Y (sequence_length, directions, batch, hidden_size), the final h and, for an LSTM, c.

    `inputs` are x (sequence_length, batch, input_size), W, R and B; `states` the initial h and c,
    of which all cells but an LSTM take the first.
    """
    if target == "portable" and layers.cell == "rnn" and layers.activation == "Relu":
        return relu_steps(builder, inputs, states[0], directions)
    lstm = layers.cell == "lstm"
    states = states if lstm else states[:1]
    # Given one state without the other the missing one is zero, which both targets spell out.
    if target == "portable" or any(state is not None for state in states):
        zero = None if all(states) else zero_state(builder, layers, inputs[0], directions)
        states = [zero if state is None else state for state in states]
    attributes: dict[str, Any] = {"hidden_size": layers.hidden_size}
    if directions == 2:
        attributes["direction"] = "bidirectional"
    if layers.cell == "gru":
        attributes["linear_before_reset"] = 1
    if layers.cell == "rnn":
        attributes["activations"] = [layers.activation] * directions
    given = [*inputs, sequence_lens, *states]
    while given[-1] is None:
        given.pop()
    return builder.ops(_ONNX_OP[layers.cell], given, attributes, 3 if lstm else 2)


def zero_state(builder: Builder, layers: Layers, x: ir.Value, directions: int) -> ir.Value:
    """(directions, batch, hidden_size) zeros, sized by x."""
    ends = [builder.integers([1]), builder.size(x, 1), builder.integers([layers.hidden_size])]
    fill = {"value": ir.tensor(np.zeros(1, "f4"))}
    zero = builder.op("ConstantOfShape", [builder.concat(ends, 0)], fill)
    # tract refuses to slice zeros of two directions apart; joined ones it takes.
    return zero if directions == 1 else builder.concat([zero, zero], 0)
