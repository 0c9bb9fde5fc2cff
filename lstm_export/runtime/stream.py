"""A forecaster fed as its data arrives: one step or one chunk at a time, state carried along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import BATCH, Forecast, GraphSpec
from lstm_export.errors import ContractError, InputError, OptionError
from lstm_export.runtime.feed import Axes, OnNonfinite, as_array, as_float32, require_finite
from lstm_export.runtime.session import Session

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Float32


class ForecastStream:
    """`batch` independent series in step with each other.

    However the rows are cut into chunks, the outputs are those of one run over all of them: after
    each row the forecast that the model makes from everything up to it. A model on differences
    over K rows has nothing to say for the first K: there the outputs are NaN.
    """

    __slots__ = ("_axes", "_check", "_graph", "_session", "_state", "_terms", "_warm", "batch")

    def __init__(
        self,
        session: Session,
        graph: GraphSpec,
        terms: Forecast,
        batch: int,
        on_nonfinite: OnNonfinite,
    ) -> None:
        if isinstance(batch, bool) or not isinstance(batch, int | np.integer) or batch < 1:
            raise OptionError(f"batch must be an integer ≥ 1, got {batch!r}")
        self.batch = int(batch)
        self._session, self._graph, self._terms = session, graph, terms
        self._axes = Axes(tuple(column.name for column in terms.features))
        self._check = on_nonfinite == "raise"
        self.reset()

    def reset(self) -> None:
        """Forgets everything: the next row is the first one."""
        self._state = {}
        for spec in self._graph.inputs:
            if spec.name != "x":
                shape = [self.batch if axis == BATCH else axis for axis in spec.axes]
                if not all(isinstance(size, int) for size in shape):
                    raise ContractError(f"the stream's state has an axis of unknown size: {spec}")
                self._state[spec.name] = np.zeros(shape, np.float32)  # type: ignore[arg-type]
        self._warm = 0

    def step(self, x_t: object) -> Array:
        """The forecast after one more row.

        `x_t` is (input_size,), or a number where input_size is 1, and gives (horizon, targets);
        or (batch, input_size) and gives (batch, horizon, targets). Raises InputError; the state
        is then as before.
        """
        array, width = as_array(x_t, "x_t"), len(self._axes.columns)
        single = array.ndim < 2
        one_value = array.ndim == 0 and width == 1
        expected = (width,) if single else (self.batch, width)
        if (array.shape != expected and not one_value) or (single and self.batch > 1):
            alone = f"({width},) or " if self.batch == 1 else ""
            raise InputError(
                f"x_t: expected one row of each series, {alone}({self.batch}, {width}), "
                f"got shape {array.shape}"
            )
        result = self.advance(self._checked(array.reshape(self.batch, 1, width), "x_t"))[:, 0]
        return result[0] if single else result

    def run(self, chunk: object) -> Array:
        """The forecasts after each row of a chunk.

        `chunk` is (sequence_length, input_size), or rank 1 where input_size is 1, and gives
        (sequence_length, horizon, targets); or (batch, sequence_length, input_size) and gives
        (batch, sequence_length, horizon, targets). Raises InputError; the state is then as before.
        """
        array, width = as_array(chunk, "chunk"), len(self._axes.columns)
        if array.ndim == 1 and width == 1:
            array = array.reshape(-1, 1)
        single = array.ndim == 2
        if single:
            array = array[np.newaxis]
        if array.ndim != 3 or array.shape[2] != width or array.shape[0] != self.batch:
            alone = f"(sequence_length, {width}) or " if self.batch == 1 else ""
            shape = array.shape[1:] if single else array.shape
            raise InputError(
                f"chunk: expected {alone}({self.batch}, sequence_length, {width}), "
                f"got shape {shape}"
            )
        if array.shape[1] == 0:
            raise InputError("chunk is empty: expected at least one row")
        result = self.advance(self._checked(array, "chunk"))
        return result[0] if single else result

    def advance(self, x: Float32) -> Array:
        """`run` for rows that were checked before: (batch, sequence_length, input_size)."""
        lag = self._terms.window.difference
        warming = min(lag - self._warm, x.shape[1]) if self._warm < lag else 0
        state = self._state
        if warming:
            # The graph cannot tell a missing row from a zero: it sees none before K are there.
            rows = np.concatenate([state["initial_rows"], x[:, :warming]], axis=1)[:, warming:]
            state = {**state, "initial_rows": rows}
        fresh = x[:, warming:]
        if fresh.shape[1] == 0:
            self._state, self._warm = state, self._warm + warming
            return self._nothing_to_say(x.shape[1])
        results = dict(
            zip(self._session.outputs, self._session.run({**state, "x": fresh}), strict=True)
        )
        output: Array = results.pop("output")
        self._state = {f"initial_{name[6:]}": value for name, value in results.items()}
        self._warm += warming
        if warming:
            output = np.concatenate([self._nothing_to_say(warming), output], axis=1)
        return output

    def _checked(self, array: Array, name: str) -> Float32:
        checked = as_float32(array, name, self._axes)
        if self._check:
            require_finite(checked, name, self._axes)
        return checked

    def _nothing_to_say(self, steps: int) -> Float32:
        shape = (self.batch, steps, self._terms.window.horizon, len(self._terms.targets))
        return np.full(shape, np.nan, np.float32)
