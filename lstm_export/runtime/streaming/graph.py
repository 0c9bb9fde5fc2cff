"""What a stream graph takes, what it carries along and what it answers.

A state goes in as `initial_NAME` and comes out as `final_NAME`; every other input is data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import BATCH, SEQUENCE_LENGTH, TensorSpec
from lstm_export.errors import ContractError

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.graphs import Graphs

_INITIAL, _FINAL = "initial_", "final_"


class State:
    """One tensor that a stream carries along; `axis` is where its rows lie."""

    __slots__ = ("axis", "dtype", "final", "name", "shape", "start")

    def __init__(self, spec: TensorSpec, start: object | None) -> None:
        fixed = [size for size in spec.axes if isinstance(size, int)]
        if spec.axes.count(BATCH) != 1 or len(fixed) != len(spec.axes) - 1:
            raise ContractError(
                f"the stream's state {spec} must have one axis {BATCH!r} and otherwise known sizes"
            )
        self.name, self.final = spec.name, _FINAL + spec.name.removeprefix(_INITIAL)
        self.axis, self.dtype = spec.axes.index(BATCH), np.dtype(spec.dtype)
        self.shape = tuple(fixed)
        self.start = np.zeros(fixed, self.dtype)
        if start is not None:
            given = np.asarray(start, self.dtype)
            if given.shape != self.shape:
                raise ContractError(f"{spec}: its start has shape {given.shape}")
            self.start = given

    def shape_for(self, batch: int) -> tuple[int, ...]:
        """The shape of `batch` rows of it."""
        return (*self.shape[: self.axis], batch, *self.shape[self.axis :])

    def fresh(self, batch: int) -> Array:
        """`batch` rows as they are before the first step."""
        array = np.empty(self.shape_for(batch), self.dtype)
        array[...] = np.expand_dims(self.start, self.axis)
        return array

    def take(self, array: Array, rows: object) -> Array:
        """Some rows of `array`, as a copy in C order; `rows` is an index for NumPy."""
        taken: Array = array[self._at(rows)]
        return taken.copy()

    def put(self, array: Array, rows: object, values: Array) -> None:
        """Writes rows as `take` gave them."""
        array[self._at(rows)] = values

    def _at(self, rows: object) -> Any:
        return (*[slice(None)] * self.axis, rows)


class StreamGraph:
    """The stream graph of one model, shared by all its streams.

    `lag` is the K of a forecaster on differences: it has nothing to say for the first K rows.
    `starts` holds the states that do not begin at zero.
    """

    __slots__ = (
        "_fingerprint",
        "data",
        "graphs",
        "lag",
        "outputs",
        "states",
        "stepwise",
        "together",
    )

    def __init__(
        self, graphs: Graphs, *, lag: int = 0, starts: Mapping[str, object] | None = None
    ) -> None:
        spec = graphs.spec(LAYOUT.stream)
        finals = {tensor.name for tensor in spec.outputs}
        states, self.data = [], []
        for tensor in spec.inputs:
            carried = tensor.name.startswith(_INITIAL)
            if carried and _FINAL + tensor.name.removeprefix(_INITIAL) in finals:
                states.append(State(tensor, (starts or {}).get(tensor.name)))
            else:
                self.data.append(tensor)
        self.states = tuple(states)
        carried_out = {state.final for state in states}
        self.outputs = [tensor for tensor in spec.outputs if tensor.name not in carried_out]
        # Some say a value for every step, some only after the last one.
        self.stepwise = any(step_axis(tensor) is None for tensor in self.outputs)
        # Whether rows of different series may be stepped as one batch.
        every = (*self.data, *self.outputs)
        self.together = graphs.independent_rows and all(row_axis(t) is not None for t in every)
        self.graphs, self.lag = graphs, lag
        self._fingerprint: Array | None = None

    def fresh(self, batch: int) -> dict[str, Array]:
        """The state of `batch` rows before their first step."""
        return {state.name: state.fresh(batch) for state in self.states}

    def take(self, carried: Mapping[str, Array], rows: object) -> dict[str, Array]:
        """The state of some rows, copied."""
        return {state.name: state.take(carried[state.name], rows) for state in self.states}

    def put(self, carried: Mapping[str, Array], rows: object, some: Mapping[str, Array]) -> None:
        """Writes the state of some rows in place."""
        for state in self.states:
            state.put(carried[state.name], rows, some[state.name])

    def run(
        self, feeds: Mapping[str, Array], carried: Mapping[str, Array], batch: int, length: int
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """The outputs and the state afterwards, by name. Raises InputError; changes nothing."""
        session = self.graphs.open(LAYOUT.stream, self.graphs.plan(batch, length))
        results = dict(zip(session.outputs, session.run({**feeds, **carried}), strict=True))
        after = {}
        for state in self.states:
            value = after[state.name] = results.pop(state.final)
            if value.shape != carried[state.name].shape or value.dtype != state.dtype:
                raise ContractError(
                    f"{session.where}: {state.final} is {value.dtype} {value.shape}, and "
                    f"{state.name} was {state.dtype} {carried[state.name].shape}"
                )
        return results, after

    @property
    def fingerprint(self) -> Array:
        """The sha256 of the graph and of the weights beside it: uint8 (32,)."""
        if self._fingerprint is None:
            digest = self.graphs.sha256(LAYOUT.stream)
            self._fingerprint = np.frombuffer(bytes.fromhex(digest), np.uint8)
        return self._fingerprint


def step_axis(tensor: TensorSpec) -> int | None:
    """Which axis counts the steps, if one does."""
    return tensor.axes.index(SEQUENCE_LENGTH) if SEQUENCE_LENGTH in tensor.axes else None


def row_axis(tensor: TensorSpec) -> int | None:
    """Which axis counts the rows, if one does."""
    return tensor.axes.index(BATCH) if BATCH in tensor.axes else None


def behind_rows(tensor: TensorSpec) -> int:
    """Where the steps of an output stand that the graph gives once for all of them."""
    rows = row_axis(tensor)
    return 0 if rows is None else rows + 1
