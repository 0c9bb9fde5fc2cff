"""A projected LSTM (torch's `proj_size`), which has no ONNX operator.

With recurrent weight R and projection P, h = P·h̃ where h̃ = o ⊙ tanh(c) is the state of a plain
LSTM whose recurrent weight is R·P, so the layer becomes that LSTM followed by a product with Pᵀ.
An explicit initial h cannot be turned back into h̃ unless P is well conditioned; it enters where
the equations need it instead, as extra input columns that hold h at the first step and zero
later, with R as their input weight. That is exact for every P.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder, Floats


def projected_recurrence(R: Floats, P: Floats) -> Floats:
    """R·P in float64, added up in one fixed order: a BLAS would round differently by machine."""
    total = np.zeros((*R.shape[:2], P.shape[2]))
    for k in range(R.shape[2]):
        total += R[:, :, k, None].astype(np.float64) * P[:, None, k, :].astype(np.float64)
    return total


def with_state_columns(W: Floats, R: Floats) -> Floats:
    """W widened by one block of R per direction, each direction reading its own block alone."""
    directions = len(W)
    blocks = [np.where(np.arange(directions)[:, None, None] == d, R, 0) for d in range(directions)]
    return np.concatenate([W, *blocks], axis=-1)


def state_columns(
    builder: Builder, x: ir.Value, h: ir.Value, directions: int, starts: ir.Value | None = None
) -> ir.Value:
    """h (directions, batch, proj_size) as columns of x, zero but at a direction's first step.

    The second direction, if there is one, starts at the last step, or where `starts`
    (sequence_length, batch, 1) is true. Gives (sequence_length, batch, directions · proj_size).
    """
    zero, one = builder.integer(0), builder.integer(1)
    time = builder.op("Gather", [builder.op("Shape", [x]), zero], {"axis": 0})
    steps = builder.op("Range", [zero, time, one])
    places = builder.op("Unsqueeze", [steps, builder.integers([1, 2])])
    # By selection: tract refuses a Pad whose sizes are computed.
    first = builder.op("Equal", [places, zero])
    if directions == 1:
        return builder.op("Where", [first, h, builder.number(0)])
    if starts is None:
        starts = builder.op("Equal", [places, builder.op("Sub", [time, one])])
    columns = []
    for direction, begins in enumerate((first, starts)):
        own = builder.op("Gather", [h, builder.integers([direction])], {"axis": 0})
        columns.append(builder.op("Where", [begins, own, builder.number(0)]))
    return builder.concat(columns, -1)
