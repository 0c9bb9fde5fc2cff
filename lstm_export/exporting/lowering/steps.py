"""What layers need that go through a sequence step by step, in an ONNX Scan."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder


def by_direction(builder: Builder, gates: ir.Value, directions: int) -> list[ir.Value]:
    """(sequence_length, batch, directions · n) as n columns for each direction, in the order in
    which it reads.
    """
    if directions == 1:
        return [gates]
    forwards, backwards = builder.ops("Split", [gates], {"axis": 2, "num_outputs": 2}, 2)
    return [forwards, turned(builder, backwards)]


def turned(builder: Builder, value: ir.Value) -> ir.Value:
    """`value` with its first axis backwards."""
    ends = [[-1], [np.iinfo(np.int64).min + 1], [0], [-1]]
    return builder.op("Slice", [value, *map(builder.integers, ends)])


def zeros(builder: Builder, x: ir.Value, directions: int, size: int) -> ir.Value:
    """(directions, batch, size) zeros, the batch that of x (sequence_length, batch, …)."""
    ends = [builder.integers([directions]), builder.size(x, 1), builder.integers([size])]
    fill = {"value": ir.tensor(np.zeros(1, np.float32))}
    return builder.op("ConstantOfShape", [builder.concat(ends, 0)], fill)
