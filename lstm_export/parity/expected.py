"""The graphs that the terms of a task demand, as the verifier sees it.

Written apart from the exporter, so that both would have to err the same way.
"""

from __future__ import annotations

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import (
    BATCH,
    FUTURE_LENGTH,
    HORIZON,
    SEQUENCE_LENGTH,
    Forecast,
    GraphSpec,
    Recurrent,
    Sequences,
    TensorSpec,
)

LATER = (LAYOUT.forecast, LAYOUT.ragged)
"""Graphs of forecasters that came later: older bundles lack them, and the runtime can do without.
"""


def graphs_of(terms: Forecast | Sequences) -> dict[str, GraphSpec]:
    """The inputs and outputs of each graph, by file name."""
    return _of_forecaster(terms) if isinstance(terms, Forecast) else _of_sequences(terms)


def required(terms: Forecast | Sequences) -> tuple[str, ...]:
    """The graphs that a bundle must have."""
    later = LATER if isinstance(terms, Forecast) else ()
    return tuple(name for name in graphs_of(terms) if name not in later)


def _of_sequences(terms: Sequences) -> dict[str, GraphSpec]:
    lengths = TensorSpec("lengths", "int64", (BATCH,))
    x = _tensor("x", BATCH, SEQUENCE_LENGTH, len(terms.features))
    if terms.vocabulary is not None:
        x = TensorSpec("x", "int64", (BATCH, SEQUENCE_LENGTH))
    name = "probabilities" if terms.classes else "output"
    width = len(terms.classes or terms.targets)
    every = _tensor(name, BATCH, SEQUENCE_LENGTH, width)
    answer = every if terms.pooling is None else _tensor(name, BATCH, width)
    graphs = {
        LAYOUT.model: GraphSpec((x,), (answer,)),
        LAYOUT.ragged: GraphSpec((x, lengths), (answer,)),
    }
    if not terms.recurrent.bidirectional and terms.pooling in (None, "last"):
        state = _state(terms.recurrent)
        graphs[LAYOUT.stream] = GraphSpec(
            (x, *(_tensor(f"initial_{name}", *axes) for name, axes in state.items())),
            (every, *(_tensor(f"final_{name}", *axes) for name, axes in state.items())),
        )
    return graphs


def _of_forecaster(terms: Forecast) -> dict[str, GraphSpec]:
    spec, lag = terms.recurrent, terms.window.difference
    features, targets, horizon = len(terms.features), len(terms.targets), terms.window.horizon
    x = _tensor("x", BATCH, SEQUENCE_LENGTH, features)
    whole = GraphSpec((x,), (_tensor("output", BATCH, horizon, targets),))
    if not terms.causal:
        lengths = TensorSpec("lengths", "int64", (BATCH,))
        return {LAYOUT.model: whole, LAYOUT.ragged: GraphSpec((x, lengths), whole.outputs)}

    state = _state(spec)
    if lag:
        state["rows"] = (BATCH, lag, features)
    stream = GraphSpec(
        (x, *(_tensor(f"initial_{name}", *axes) for name, axes in state.items())),
        (
            _tensor("output", BATCH, SEQUENCE_LENGTH, horizon, targets),
            *(_tensor(f"final_{name}", *axes) for name, axes in state.items()),
        ),
    )
    graphs = {LAYOUT.model: whole, LAYOUT.stream: stream}
    names = {column.name for column in terms.features}
    if horizon == 1 and names >= {column.name for column in terms.targets}:
        inputs = [x, TensorSpec("horizon", "int64", ())]
        if features > targets:
            inputs.append(_tensor("future", BATCH, FUTURE_LENGTH, features - targets))
        ahead = _tensor("output", BATCH, HORIZON, targets)
        graphs[LAYOUT.forecast] = GraphSpec(tuple(inputs), (ahead,))
    return graphs


def _state(spec: Recurrent) -> dict[str, tuple[str | int, ...]]:
    """What layers of one direction carry along."""
    state: dict[str, tuple[str | int, ...]] = {"h": (spec.num_layers, BATCH, spec.state_size)}
    if spec.cell == "lstm":
        state["c"] = (spec.num_layers, BATCH, spec.hidden_size)
    return state


def _tensor(name: str, *axes: str | int) -> TensorSpec:
    return TensorSpec(name, "float32", axes)
