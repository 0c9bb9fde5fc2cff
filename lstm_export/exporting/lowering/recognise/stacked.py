"""States of several layers in one tensor, h[0], h[1], ... in and torch.stack out: one by one."""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder
from lstm_export.exporting.lowering.recognise.constants import Constants
from lstm_export.exporting.lowering.recognise.loop import State


def single_states(state: State, builder: Builder, constants: Constants) -> tuple[State, ...]:
    """The states that `state` is made of, along its first axis; itself, where it is none such."""
    parts = _stacked(state.next, constants)
    reads = None if parts is None else _reads(state.previous, len(parts), constants)
    if parts is None or reads is None:
        return (state,)
    found = []
    for index, (part, values) in enumerate(zip(parts, reads, strict=True)):
        initial = builder.op("Gather", [state.initial, builder.integer(index)], {"axis": 0})
        previous = values[0] if values else ir.Value(shape=part.shape, type=part.type)
        for same in values[1:]:
            same.replace_all_uses_with(previous)
        initial.type = state.initial.type
        found.append(State(previous, part, initial, state.final))
    return tuple(found)


def stacked(builder: Builder, parts: list[ir.Value], like: ir.Value) -> ir.Value:
    """The tensors along a new first axis, which gives the shape of `like`."""
    rows = [builder.op("Unsqueeze", [part, builder.integers([0])]) for part in parts]
    for row in rows:
        # Told, so that a later choice of one layer finds it.
        row.shape = None if like.shape is None else ir.Shape([1, *like.shape[1:]])
    return builder.concat(rows, 0)


def _stacked(value: ir.Value, constants: Constants) -> list[ir.Value] | None:
    node = value.producer()
    if node is None:
        return None
    if node.op_type == "Concat" and node.attributes["axis"].as_int() == 0:
        rows = list(node.inputs)
    else:
        rows = [value]
    parts = []
    for row in rows:
        above = row.producer() if row is not None else None
        if above is None or above.op_type != "Unsqueeze" or above.inputs[0] is None:
            return None
        if constants.integers(above.inputs[1]) != [0]:
            return None
        parts.append(above.inputs[0])
    return parts


def _reads(previous: ir.Value, count: int, constants: Constants) -> list[list[ir.Value]] | None:
    """For each index, the values that hold that part alone; None if it is read otherwise."""
    reads: list[list[ir.Value]] = [[] for _ in range(count)]
    for node, _ in previous.uses():
        if node.op_type == "Gather" and node.inputs[0] is previous:
            place = constants(node.inputs[1])
            axis = node.attributes.get("axis")
            if place is None or place.ndim or (axis is not None and axis.as_int() != 0):
                return None
            reads[int(place)].append(node.outputs[0])
        elif node.op_type == "Split" and len(node.outputs) == count:
            axis = node.attributes.get("axis")
            if axis is not None and axis.as_int() != 0:
                return None
            for index, output in enumerate(node.outputs):
                for user, _ in output.uses():
                    if user.op_type != "Squeeze" or constants.integers(user.inputs[1]) != [0]:
                        return None
                    reads[index].append(user.outputs[0])
        else:
            return None
    return reads
