"""The graphs that a forecaster's terms demand, as the verifier sees it.

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
    TensorSpec,
)

LATER = (LAYOUT.forecast, LAYOUT.ragged)
"""Graphs that came later: older bundles lack them, and the runtime can do without."""


def graphs_of(terms: Forecast) -> dict[str, GraphSpec]:
    """The inputs and outputs of each graph, by file name."""
    spec, lag = terms.recurrent, terms.window.difference
    features, targets, horizon = len(terms.features), len(terms.targets), terms.window.horizon
    x = _tensor("x", BATCH, SEQUENCE_LENGTH, features)
    whole = GraphSpec((x,), (_tensor("output", BATCH, horizon, targets),))
    if not terms.causal:
        lengths = TensorSpec("lengths", "int64", (BATCH,))
        return {LAYOUT.model: whole, LAYOUT.ragged: GraphSpec((x, lengths), whole.outputs)}

    layers = spec.num_layers
    state: dict[str, tuple[str | int, ...]] = {"h": (layers, BATCH, spec.state_size)}
    if spec.cell == "lstm":
        state["c"] = (layers, BATCH, spec.hidden_size)
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


def _tensor(name: str, *axes: str | int) -> TensorSpec:
    return TensorSpec(name, "float32", axes)
