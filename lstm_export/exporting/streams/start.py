"""Where the states of a stream start: zero, or what the module itself starts from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from lstm_export.contract import BATCH, Contract, GraphSpec, Start, TensorSpec
from lstm_export.exporting.exported import Exported, finished
from lstm_export.exporting.graph.serialise import serialise
from lstm_export.exporting.options import GraphOptions
from lstm_export.exporting.streams.carry import Carrying, State
from lstm_export.exporting.streams.draws import Draws
from lstm_export.exporting.streams.refusal import NoStreamError
from lstm_export.exporting.streams.slots import slots_of
from lstm_export.exporting.verify.session import Session

Array = npt.NDArray[Any]
_SHAPES = ((1, 3), (3, 4))
"""Batch and length."""


def starts(
    result: Exported, carried: Carrying, options: GraphOptions, draws: Draws
) -> dict[str, Start] | None:
    """Every state that does not start at zero, without its batch; None where all do.

    A learned initial state, or one that the module computes from its weights, is computed here by
    a graph of its own. Raises NoStreamError where it is not one and the same for every series.
    """
    computed = [state for state in carried.states if state.computed]
    if not computed:
        return None
    session = _session(result, carried, options)
    answers = [
        session.run(draws.whole(draws.drawn(*shape, seed))) for seed, shape in enumerate(_SHAPES)
    ]
    found = {}
    for state in computed:
        values = [row for answer in answers for row in _rows(state, answer[f"start_{state.name}"])]
        if not all(np.array_equal(value, values[0]) for value in values):
            raise NoStreamError(
                f"{state.path or 'the module'} starts from a state that differs from series to "
                "series, or with their length"
            )
        if values[0].any():
            found[state.name] = _nested(values[0])
    return found or None


def started(state: State, batch: int, start: Mapping[str, Start] | None) -> Array:
    """The first state of `batch` series."""
    shape = [batch if axis == BATCH else int(axis) for axis in state.initial.axes]
    value = np.zeros(shape, np.float32)
    if start is not None and state.name in start:
        given = np.asarray(start[state.name], np.float32)
        value[...] = np.expand_dims(given, state.initial.axes.index(BATCH))
    return value


def _session(result: Exported, carried: Carrying, options: GraphOptions) -> Session:
    """A graph from the module's inputs to where its states start."""
    model = result.translated.clone()
    graph, specs = model.graph, result.contract.graph
    starting = []
    for state, slot in zip(carried.states, slots_of(graph), strict=True):
        if state.computed:
            assert slot.initial is not None
            node = ir.node("Identity", [slot.initial])
            graph.insert_before(slot.node, node)
            node.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
            starting.append((node.outputs[0], state.initial))
    graph.outputs.clear()
    graph.outputs.extend(value for value, _ in starting)
    outputs = tuple(
        TensorSpec(f"start_{spec.name}", "float32", tuple(_open(spec))) for _, spec in starting
    )
    spec = GraphSpec(specs.inputs, outputs)
    finished(model, Contract("module", spec), options)
    return Session(serialise(model), spec)


def _open(spec: TensorSpec) -> Iterator[str | int]:
    for axis in spec.axes:
        yield f"{axis}_" if isinstance(axis, str) else axis


def _rows(state: State, value: Array) -> Iterator[Array]:
    axis = state.initial.axes.index(BATCH)
    for row in range(value.shape[axis]):
        yield value.take(row, axis=axis)


def _nested(value: Array) -> Start:
    rows: Any = value.tolist()
    return tuple(tuple(row) if isinstance(row, list) else row for row in rows)
