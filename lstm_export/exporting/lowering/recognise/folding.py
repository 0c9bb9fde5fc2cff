"""Operators that want the batch first, and one batch axis only: convolution, pooling.

Time and batch become one axis for them, and two again afterwards. Between such operators, and
those applied to each number, they stay one.
"""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.lifting import Lift, NotLiftableError, Rule
from lstm_export.exporting.lowering.recognise.shapes import dims

_FOLDED = (
    *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool"),
    *("GlobalMaxPool", "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN"),
    *("DepthToSpace", "SpaceToDepth"),
)


def _folded(lift: Lift) -> list[ir.Value]:
    others = [lift.constant(position) for position in range(1, len(lift.node.inputs))]
    for given, found in zip(lift.node.inputs[1:], others, strict=True):
        if given is not None and found is None:
            raise NotLiftableError(f"{lift.node.op_type} with weights that vary")
    if len(lift.node.outputs) != 1:
        raise NotLiftableError(f"{lift.node.op_type} with indices")
    value = lift.node.inputs[0]
    assert value is not None
    if lift.rank(value) < 2:
        raise NotLiftableError(f"{lift.node.op_type} of a vector")
    joined, ends = _joined(lift, value)
    (result,) = lift.out([joined, *others])
    return [_parted(lift, result, ends)]


def each_number(rule: Rule) -> Rule:
    """`rule` for an operator on each number, where time and batch may be one axis already."""

    def either(lift: Lift) -> list[ir.Value]:
        value = lift.node.inputs[0]
        assert value is not None
        lift.sequence(0)
        together = lift.sequences.joined.get(value)
        if together is None or len(lift.node.inputs) != 1:
            return rule(lift)
        joined, ends = together
        (result,) = lift.out([joined])
        return [_parted(lift, result, ends)]

    return either


def _joined(lift: Lift, value: ir.Value) -> tuple[ir.Value, ir.Value]:
    """(sequence_length · batch, ...), and the sizes of these two axes, (2,)."""
    builder, sequence = lift.builder, lift.sequences.sequence(value)
    known = lift.sequences.joined
    if value not in known:
        shape = builder.concat([builder.integers([-1]), _rest(lift, value, sequence, 2)], 0)
        ends = builder.op("Shape", [sequence], {"start": 0, "end": 2})
        known[value] = (builder.op("Reshape", [sequence, shape]), ends)
    return known[value]


def _parted(lift: Lift, result: ir.Value, ends: ir.Value) -> ir.Value:
    """The result with the two axes apart, remembered with both as one."""
    output = lift.node.outputs[0]
    lift.sequences.joined[output] = (result, ends)
    shape = lift.builder.concat([ends, _rest(lift, output, result, 1)], 0)
    return lift.builder.op("Reshape", [result, shape])


def _rest(lift: Lift, value: ir.Value, whole: ir.Value, start: int) -> ir.Value:
    """The sizes of all axes of a step's value but the first."""
    sizes = (dims(value) or (None,))[1:]
    known = [size for size in sizes if isinstance(size, int)]
    if sizes and len(known) == len(sizes):
        return lift.builder.integers(known)
    return lift.builder.op("Shape", [whole], {"start": start})


FOLDING: dict[str, Rule] = dict.fromkeys(_FOLDED, _folded)
"""By operator."""
