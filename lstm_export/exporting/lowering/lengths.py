"""Which steps of a padded, time-major batch are valid, as ONNX values.

Lengths that the batch cannot have must not give numbers. The last valid step of each sequence is
looked up in the row of all steps, where a length above sequence_length is out of range by itself
and one below 1 is sent out of range: onnxruntime then fails. That is three nodes on (batch,).
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a padded batch; whatever nothing reads is pruned later.

    `lengths` and `sequence_lens` (batch,), in int64 and int32. By step and sequence,
    (sequence_length, batch): `valid`, whether it is one of the sequence; `ends`, whether it is
    the sequence's last; `mirrored`, its place where every sequence runs backwards and the padding
    stays, which is its own inverse. `starts` (sequence_length, 1), whether a step is the first.
    """

    lengths: ir.Value
    sequence_lens: ir.Value
    valid: ir.Value
    starts: ir.Value
    ends: ir.Value
    mirrored: ir.Value


def checked_steps(builder: Builder, lengths: ir.Value, padded: ir.Value) -> Steps:
    """The steps of `padded` (sequence_length, batch, …) with lengths (batch,) int64."""
    zero, one = builder.integer(0), builder.integer(1)
    shape = builder.op("Shape", [padded])
    time = builder.op("Gather", [shape, zero], {"axis": 0})
    steps = builder.op("Range", [zero, time, one])
    too_short = builder.op("Less", [lengths, one])
    place = builder.op("Where", [too_short, time, builder.op("Sub", [lengths, one])])
    last = builder.op("Gather", [steps, place], {"axis": 0})
    lengths = builder.op("Add", [last, one])
    column = builder.op("Unsqueeze", [steps, builder.integers([1])])
    valid = builder.op("Less", [column, lengths])
    backwards = builder.op("Sub", [last, column])
    return Steps(
        lengths=lengths,
        sequence_lens=builder.op("Cast", [lengths], {"to": ir.DataType.INT32}),
        valid=valid,
        starts=builder.op("Equal", [column, zero]),
        ends=builder.op("Equal", [column, last]),
        mirrored=builder.op("Where", [valid, backwards, column]),
    )


def per_feature(builder: Builder, values: ir.Value, rank: int = 3) -> ir.Value:
    """(sequence_length, batch) as (sequence_length, batch, 1, …), to go with `rank` axes."""
    if rank == 2:
        return values
    return builder.op("Unsqueeze", [values, builder.integers(range(2, rank))])


def without_padding(builder: Builder, padded: ir.Value, valid: ir.Value) -> ir.Value:
    """`padded` (sequence_length, batch, …) with zeros where `valid`, of its rank, does not hold.

    By selection: a product would let NaN through.
    """
    assert padded.dtype is not None
    kept = builder.op("Where", [valid, padded, builder.zero(padded.dtype)])
    kept.shape, kept.type = padded.shape, padded.type
    return kept
