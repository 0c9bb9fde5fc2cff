"""Many steps ahead: what a caller asks for, and the ways to answer it.

A model trained on a horizon answers it at once, and no further. A one-step model goes on from its
own forecasts, beside what is known of the future: inside `forecast.onnx`, in one run, where the
bundle has it. Else step by step from here: through `stream.onnx`, which carries the state, or over
the rows again, for a model.onnx alone, and for two directions, which read the window that they
were trained on anew after every step.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import BATCH, Forecast
from lstm_export.errors import OptionError

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Float32, Positions
    from lstm_export.runtime.future import Future
    from lstm_export.runtime.graphs import Graphs
    from lstm_export.runtime.sequences import Sequences

Run = Callable[["Float32"], "Array"]
"""`model.onnx`: (batch, sequence_length, features) to (batch, horizon, targets)."""


def forecast(
    terms: Forecast,
    graphs: Graphs,
    run: Run,
    sequences: Sequences,
    steps: int,
    future: Future | None,
) -> Array:
    """The next `steps` rows of the targets after checked histories, unbatched if they came so."""
    if steps <= terms.window.horizon:
        return sequences.map(lambda x: run(x)[:, :steps])
    on = in_graph if terms.causal and graphs.has(LAYOUT.forecast) else from_here

    def ahead(positions: Positions | None, x: Float32) -> Array:
        rows = None if future is None else future.rows(positions, len(x))
        return on(terms, graphs, run, x, steps, rows)

    groups = sequences.groups
    results = [ahead(positions, x) for positions, x in groups]
    if groups[0][0] is None:
        return results[0] if sequences.batched else results[0][0]
    merged = np.empty((sum(map(len, results)), *results[0].shape[1:]), np.float32)
    for (positions, _), result in zip(groups, results, strict=True):
        merged[positions] = result
    return merged


def checked_steps(terms: Forecast, horizon: int | None, future: object = None) -> int:
    """`horizon`, or the trained one for None, if the model can go so far. Raises OptionError."""
    trained = terms.window.horizon
    given = bool(future) if isinstance(future, Mapping) else future is not None
    if given and trained > 1:
        raise OptionError(
            f"this model predicts its {trained} steps at once, from the history alone: it has no "
            "use for known future values; leave out future"
        )
    if horizon is None:
        return trained
    try:
        steps = operator.index(horizon)
    except TypeError:
        steps = 0
    if steps < 1 or isinstance(horizon, bool):
        raise OptionError(f"horizon must be an integer ≥ 1, got {horizon!r}")
    if steps > trained > 1:
        raise OptionError(
            f"horizon {steps}: this model predicts {trained} steps at once and no further; "
            f"ask for at most {trained}, or train one with --horizon {steps}"
        )
    if steps > trained and not terms.feeds_back:
        names = {column.name for column in terms.features}
        others = ", ".join(c.name for c in terms.targets if c.name not in names)
        raise OptionError(
            f"horizon {steps}: this model predicts one step, and {others} is not among its "
            f"features: a forecast is no next row; ask for 1, or train one with --horizon {steps}"
        )
    if steps > trained and terms.known and not given:
        known = ", ".join(column.name for column in terms.known)
        raise OptionError(
            f"horizon {steps}: this model predicts one step, and to go on it would need future "
            f"values of {known}, which it does not predict: give the next {steps - 1} of each as "
            f"future={{name: values}} (predict --future FILE), ask for 1, or train one with "
            f"--horizon {steps}"
        )
    return steps


def in_graph(
    terms: Forecast, graphs: Graphs, run: Run, x: Float32, steps: int, future: Float32 | None
) -> Array:
    """The forecasts by `forecast.onnx`, (batch, steps, targets).

    x is (batch, sequence_length, features), future (batch, steps − 1 or more, known features).
    """
    batch, length, _ = x.shape
    how = graphs.plan(batch, length + steps)
    session = graphs.open(LAYOUT.forecast, how)
    feeds: dict[str, Array] = {"x": x}
    if future is not None:
        feeds["future"] = future
    number = np.array(steps, np.int64)
    if how.shards == 1:
        return session.run({**feeds, "horizon": number})[0]
    from lstm_export.runtime.shards import side_by_side

    def shard(rows: slice) -> Array:
        part = {name: value[rows] for name, value in feeds.items()}
        return session.run({**part, "horizon": number})[0]

    return np.concatenate(side_by_side(shard, batch, how.shards))


def from_here(
    terms: Forecast, graphs: Graphs, run: Run, x: Float32, steps: int, future: Float32 | None
) -> Array:
    """The forecasts one run at a time; arguments and result as those of `in_graph`."""
    streams = terms.causal and graphs.has(LAYOUT.stream)
    following = _streamed(terms, graphs, x) if streams else _again(terms, run, x)
    outputs = [following(None)]
    for step in range(steps - 1):
        outputs.append(following(_next_row(terms, outputs[-1], future, step)))
    return np.concatenate(outputs, axis=1)


Following = Callable[["Float32 | None"], "Array"]
"""The next forecast (batch, 1, targets), after one more row (batch, 1, features) but at first."""


def _streamed(terms: Forecast, graphs: Graphs, x: Float32) -> Following:
    session, lag, batch = graphs.open(LAYOUT.stream), terms.window.difference, len(x)
    state: dict[str, Array] = {}
    for spec in graphs.spec(LAYOUT.stream).inputs:
        if spec.name != "x":
            shape = [batch if axis == BATCH else int(axis) for axis in spec.axes]
            state[spec.name] = np.zeros(shape, np.float32)
    if lag:
        state["initial_rows"] = x[:, :lag]

    def following(row: Float32 | None) -> Array:
        rows = x[:, lag:] if row is None else row
        values = session.run({**state, "x": rows})
        results = dict(zip(session.outputs, values, strict=True))
        for name in state:
            state[name] = results[name.replace("initial_", "final_", 1)]
        output: Array = results["output"]
        return output[:, -1]

    return following


def _again(terms: Forecast, run: Run, x: Float32) -> Following:
    seen = x

    def following(row: Float32 | None) -> Array:
        nonlocal seen
        if row is not None:
            seen = np.concatenate([seen, row], axis=1)
        # One direction: as a stream, which remembers all. Two: the window it was trained on.
        return run(seen if terms.causal else seen[:, -terms.window.history :])

    return following


def _next_row(terms: Forecast, output: Array, future: Float32 | None, step: int) -> Float32:
    """The forecast (batch, 1, targets), beside what is known, as the row that follows."""
    places = [column.name for column in terms.features]
    row = np.empty((len(output), 1, len(places)), np.float32)
    row[:, :, [places.index(column.name) for column in terms.targets]] = output
    if future is not None:
        known = [places.index(column.name) for column in terms.known]
        row[:, :, known] = future[:, step : step + 1]
    return row
