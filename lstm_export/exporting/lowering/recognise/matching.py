"""The states of a loop that belong together, as a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.algebra import Expression, Gate, OpaqueError, Variable
from lstm_export.exporting.lowering.recognise.cells import FoundCell, NoCellError, gru, lstm, rnn
from lstm_export.exporting.lowering.recognise.constants import Constants
from lstm_export.exporting.lowering.recognise.interpret import Interpreter
from lstm_export.exporting.lowering.recognise.lifting import NotLiftableError
from lstm_export.exporting.lowering.recognise.loop import State
from lstm_export.exporting.lowering.recognise.sequences import Sequences
from lstm_export.exporting.lowering.recognise.shapes import batch, dims, width


@dataclass(frozen=True, slots=True)
class Match:
    """A cell, its states (h, then c), and the negative axis that holds their features."""

    cell: FoundCell
    states: tuple[State, ...]
    axis: int


def match_cell(
    group: Sequence[State],
    stops: set[ir.Value],
    sequences: Sequences,
    constants: Constants,
    definitions: Mapping[ir.Value, Expression],
) -> Match:
    """Raises NoCellError with what the states are instead.

    `stops` are the values of a step that are read as they are, `definitions` what is known of
    others that it does not compute.
    """
    if len(group) > 2:
        raise NoCellError(f"{len(group)} states depend on each other")
    if any(state.previous.dtype not in (None, ir.DataType.FLOAT) for state in group):
        raise NoCellError("a state is not float32")
    reasons = []
    # Rows are samples as a rule; a cell written for column vectors has them the other way.
    for axis in (-1, -2):
        if any(width(state.previous, axis) is None for state in group):
            continue
        interpreter = Interpreter(
            axis, constants, stops, sequences.is_known, definitions if axis == -1 else {}
        )
        for states in (group, group[::-1])[: len(group)]:
            try:
                cell = _as_cell(interpreter, states, sequences)
            except OpaqueError:
                continue
            except NoCellError as error:
                reasons.append(error)
                continue
            return Match(cell, tuple(states), axis)
    if not reasons:
        raise NoCellError("the shape of a state is unknown")
    raise (
        reasons[0] if len(group) == 1 else NoCellError(f"two states that are no LSTM: {reasons[0]}")
    )


def _as_cell(interpreter: Interpreter, states: Sequence[State], sequences: Sequences) -> FoundCell:
    axis = interpreter.axis
    h, *c = (_variable(state.previous, axis) for state in states)
    rows = batch(h.value, axis)
    if rows is None or len(rows) > 1:
        raise NoCellError(f"a state has {len(dims(h.value) or ())} axes")

    def require_input(variable: Variable) -> None:
        try:
            sequences.sequence(variable.value)
        except NotLiftableError as error:
            node = variable.value.producer()
            what = "another state" if node is None else f"the result of {node.op_type}"
            raise NoCellError(f"a gate reads {what}: {error}") from error

    next_h, *next_c = (interpreter.expression(state.next) for state in states)
    if c:
        return lstm(h, c[0], next_h, next_c[0], require_input)
    if isinstance(next_h.atom, Gate):
        return rnn(h, next_h, require_input)
    return gru(h, next_h, require_input)


def _variable(value: ir.Value, axis: int) -> Variable:
    size = width(value, axis)
    assert size is not None
    return Variable(value, size, axis)
