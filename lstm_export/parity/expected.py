"""The graphs that a forecaster's terms demand, as the verifier sees it.

Written apart from the exporter, so that both would have to err the same way.
"""

from __future__ import annotations

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import BATCH, SEQUENCE_LENGTH, Forecast, GraphSpec, TensorSpec


def graphs_of(terms: Forecast) -> dict[str, GraphSpec]:
    """The inputs and outputs of each graph, by file name."""
    spec, lag = terms.recurrent, terms.window.difference
    features, targets, horizon = len(terms.features), len(terms.targets), terms.window.horizon
    x = _tensor("x", BATCH, SEQUENCE_LENGTH, features)
    whole = GraphSpec((x,), (_tensor("output", BATCH, horizon, targets),))
    if not terms.causal:
        return {LAYOUT.model: whole}

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
    return {LAYOUT.model: whole, LAYOUT.stream: stream}


def _tensor(name: str, *axes: str | int) -> TensorSpec:
    return TensorSpec(name, "float32", axes)
