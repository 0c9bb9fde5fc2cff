"""A cell that was found, as one ONNX LSTM, GRU or RNN node over the whole sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from lstm_export.contract import Cell
from lstm_export.exporting.lowering.builder import Builder
from lstm_export.exporting.lowering.recognise.cells import FoundCell
from lstm_export.exporting.target import Target

_ONNX_OP: dict[Cell, str] = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}


def emit(
    builder: Builder,
    cell: FoundCell,
    x: ir.Value,
    states: Sequence[ir.Value | None],
    name: str,
    target: Target,
) -> list[ir.Value]:
    """Y (sequence_length, batch, hidden_size), the final h (1, batch, hidden_size) and c likewise.

    `x` is (sequence_length, batch, input_size), `states` the initial h and, for an LSTM, c, each
    (1, batch, hidden_size), or None for zero. The weights are called after `name`.
    """
    weights = [
        builder.weight(f"{name}.{letter}", array[None])
        for letter, array in (("W", cell.W), ("R", cell.R), ("B", cell.B))
    ]
    if target == "portable" or any(state is not None for state in states):
        zero = None if all(states) else _zeros(builder, cell.hidden_size, x)
        states = [zero if state is None else state for state in states]
    attributes: dict[str, Any] = {"hidden_size": cell.hidden_size}
    if cell.cell == "gru":
        attributes["linear_before_reset"] = int(cell.linear_before_reset)
    if cell.cell == "rnn":
        attributes["activations"] = [cell.activation]
    given = [x, *weights, None, *states] if any(states) else [x, *weights]
    count = 3 if cell.cell == "lstm" else 2
    y, *finals = builder.ops(_ONNX_OP[cell.cell], given, attributes, count)
    return [builder.op("Squeeze", [y, builder.integers([1])]), *finals]


def _zeros(builder: Builder, hidden_size: int, x: ir.Value) -> ir.Value:
    """(1, batch, hidden_size), sized by x."""
    ends = [builder.integers([1]), builder.size(x, 1), builder.integers([hidden_size])]
    fill = {"value": ir.tensor(np.zeros(1, np.float32))}
    return builder.op("ConstantOfShape", [builder.concat(ends, 0)], fill)
