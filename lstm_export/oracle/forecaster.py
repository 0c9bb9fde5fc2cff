"""A whole forecaster in NumPy float64: raw rows in, forecasts in raw units out.

With K = `window.difference`, in the order in which things happen::

    d[t]   = x[t] − x[t−K]                      for t ≥ K; d = x where K is 0
    z[t]   = (d[t] − offset) / scale
    s      = what the recurrent layers hold at the end
    p[h]   = (W s + b)[h] · target_scale + target_offset
    x̂[h]   = p[h] + (the row K before it: known, or forecast already);  x̂ = p where K is 0

Written apart from the torch module on purpose: a misunderstanding would have to be made twice to
go unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Forecast, Scaling
from lstm_export.errors import ContractError, InputError
from lstm_export.oracle.layer import Array
from lstm_export.oracle.recurrent import run
from lstm_export.oracle.weights import Weights

_PREFIX = "recurrent."


def forecast(terms: Forecast, weights: Weights, x: npt.NDArray[Any]) -> Array:
    """x (batch, sequence_length, features) to (batch, horizon, targets), both in raw units.

    `weights` are those of a checkpoint: `recurrent.*`, `head.weight`, `head.bias`. Raises
    InputError if x is shorter than `window.shortest` or has another width, ContractError if the
    weights do not fit.
    """
    rows = _rows("x", x, terms)
    lag = terms.window.difference
    if rows.shape[1] < terms.window.shortest:
        raise InputError(
            f"x: expected at least {terms.window.shortest} rows, got {rows.shape[1]}: the model "
            f"sees differences over {lag} rows"
        )
    differences = rows[:, lag:] - rows[:, : rows.shape[1] - lag] if lag else rows
    _, final_h, _ = run(terms.recurrent, _recurrent(weights), _scaled(differences, terms))
    # The last layer's state: with two directions, that of the forward one after the last row
    # beside that of the backward one after the first.
    last = np.concatenate(list(final_h[-terms.recurrent.num_directions :]), axis=1)
    return _forecasts(terms, weights, last, rows)


def stream(
    terms: Forecast, weights: Weights, inputs: Mapping[str, npt.NDArray[Any]]
) -> dict[str, Array]:
    """A forecast after every row of x, carrying on from a state.

    Inputs: `x` (batch, sequence_length, features), `initial_h`, for an LSTM `initial_c`, and with
    differencing `initial_rows` (batch, K, features), the rows just before x. Outputs: `output`
    (batch, sequence_length, horizon, targets) and the `final_*` of each. Raises as `forecast`.
    """
    if not terms.causal:
        raise ContractError("a model of two directions needs the whole sequence: it cannot stream")
    lag = terms.window.difference
    names = {"x", "initial_h"}
    names |= {"initial_c"} if terms.recurrent.cell == "lstm" else set()
    names |= {"initial_rows"} if lag else set()
    if set(inputs) != names:
        raise InputError(f"expected inputs {sorted(names)}, got {sorted(inputs)}")

    x = _rows("x", inputs["x"], terms)
    seen = x
    if lag:
        before = _rows("initial_rows", inputs["initial_rows"], terms)
        if before.shape[:2] != (x.shape[0], lag):
            raise InputError(f"initial_rows: expected ({x.shape[0]}, {lag}, …), got {before.shape}")
        seen = np.concatenate([before, x], axis=1)
    differences = x - seen[:, : x.shape[1]] if lag else x
    y, final_h, final_c = run(
        terms.recurrent,
        _recurrent(weights),
        _scaled(differences, terms),
        inputs["initial_h"],
        inputs.get("initial_c"),
    )
    per_row = [
        _forecasts(terms, weights, y[:, t], seen[:, : lag + t + 1]) for t in range(x.shape[1])
    ]
    outputs = {"output": np.stack(per_row, axis=1), "final_h": final_h}
    if final_c is not None:
        outputs["final_c"] = final_c
    if lag:
        outputs["final_rows"] = seen[:, seen.shape[1] - lag :]
    return outputs


def feed_back(
    terms: Forecast,
    weights: Weights,
    x: npt.NDArray[Any],
    horizon: int,
    future: npt.NDArray[Any] | None = None,
) -> Array:
    """`horizon` forecasts of a one-step model, (batch, horizon, targets): each is the next row.

    x is (batch, sequence_length, features). Features that are no targets are known beforehand:
    `future` (batch, horizon − 1 or more, those features, in their order) holds the rows after x.
    Raises as `stream`, and InputError for a future that is too short.
    """
    names, targets = [[c.name for c in columns] for columns in (terms.features, terms.targets)]
    if terms.window.horizon != 1 or not set(targets) <= set(names):
        raise ContractError("a forecast of this model is no next row: it cannot be fed back")
    rows, spec, lag = _rows("x", x, terms), terms.recurrent, terms.window.difference
    batch = rows.shape[0]
    known = [name for name in names if name not in targets]
    if known and (future is None or future.shape[0] != batch or future.shape[1] < horizon - 1):
        raise InputError(f"future: expected {horizon - 1} rows of {', '.join(known)}")
    state = {"initial_h": np.zeros((spec.num_layers, batch, spec.state_size))}
    if spec.cell == "lstm":
        state["initial_c"] = np.zeros((spec.num_layers, batch, spec.hidden_size))
    if lag:
        state["initial_rows"], rows = rows[:, :lag], rows[:, lag:]
    forecasts: list[Array] = []
    for step in range(horizon):
        outputs = stream(terms, weights, {"x": rows, **state})
        forecasts.append(outputs["output"][:, -1, 0])
        state = {name: outputs[name.replace("initial", "final")] for name in state}
        values = {name: forecasts[-1][:, i] for i, name in enumerate(targets)}
        if known and step + 1 < horizon:
            assert future is not None
            values |= {name: future[:, step, i] for i, name in enumerate(known)}
        if step + 1 < horizon:
            rows = np.stack([values[name] for name in names], axis=1)[:, np.newaxis]
    return np.stack(forecasts, axis=1)


def ragged(
    terms: Forecast, weights: Weights, x: npt.NDArray[Any], lengths: npt.NDArray[Any]
) -> Array:
    """x (batch, sequence_length, features), of each row the first `lengths` steps, to (batch,
    horizon, targets): every sequence alone. Raises as `forecast`."""
    alone = [
        forecast(terms, weights, row[np.newaxis, : int(length)])
        for row, length in zip(x, lengths, strict=True)
    ]
    return np.concatenate(alone)


def _forecasts(terms: Forecast, weights: Weights, last: Array, rows: Array) -> Array:
    """From the layers' last output (batch, width), and the raw rows known by then."""
    window, targets = terms.window, len(terms.targets)
    matrix, bias = _head(terms, weights, last.shape[1])
    scaled = (last @ matrix.T + bias).reshape(-1, window.horizon, targets)
    offset, scale = _scaling(terms.target_scaling)
    predicted = scaled * scale + offset
    if not window.difference:
        return predicted
    known, lag = rows[:, :, list(terms.target_positions)], window.difference
    forecasts: list[Array] = []
    for step in range(window.horizon):
        # For step < K the row K before is a known one, counted from the end of `known`.
        earlier = known[:, step - lag] if step < lag else forecasts[step - lag]
        forecasts.append(predicted[:, step] + earlier)
    return np.stack(forecasts, axis=1)


def _scaled(differences: Array, terms: Forecast) -> Array:
    offset, scale = _scaling(terms.input_scaling)
    return (differences - offset) / scale


def _scaling(scaling: Scaling) -> tuple[Array, Array]:
    return np.array(scaling.offset, dtype=np.float64), np.array(scaling.scale, dtype=np.float64)


def _rows(name: str, value: npt.NDArray[Any], terms: Forecast) -> Array:
    width = len(terms.features)
    if value.ndim != 3 or value.shape[2] != width or 0 in value.shape:
        raise InputError(
            f"{name}: expected (batch, rows, {width}), none of them 0, got {value.shape}"
        )
    return np.asarray(value, dtype=np.float64)


def _recurrent(weights: Weights) -> Weights:
    unknown = [n for n in weights if not n.startswith(_PREFIX) and n not in _HEAD]
    if unknown:
        raise ContractError(f"the weights {unknown} are not used by a forecaster")
    return {n.removeprefix(_PREFIX): w for n, w in weights.items() if n.startswith(_PREFIX)}


_HEAD = ("head.weight", "head.bias")


def _head(terms: Forecast, weights: Weights, width: int) -> tuple[Array, Array]:
    outputs = terms.window.horizon * len(terms.targets)
    for name, shape in zip(_HEAD, ((outputs, width), (outputs,)), strict=True):
        if name not in weights:
            raise ContractError(f"the weight {name} is missing")
        if weights[name].shape != shape:
            raise ContractError(f"{name}: expected shape {shape}, got {weights[name].shape}")
    matrix, bias = (np.asarray(weights[name], dtype=np.float64) for name in _HEAD)
    return matrix, bias
