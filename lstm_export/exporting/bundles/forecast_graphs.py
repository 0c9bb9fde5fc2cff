"""The graphs of a forecaster: their tensors, and examples to trace them on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import (
    BATCH,
    SEQUENCE_LENGTH,
    Contract,
    Forecast,
    GraphSpec,
    TensorSpec,
)
from lstm_export.exporting.module import export_graph
from lstm_export.exporting.target import Target
from lstm_export.nn.forecaster import Forecaster, ForecasterStream


def forecast_graphs(forecast: Forecast) -> dict[str, GraphSpec]:
    """The graphs a forecaster has, by file name: `stream.onnx` only where it is causal."""
    graphs = {LAYOUT.model: _model_spec(forecast)}
    if forecast.causal:
        graphs[LAYOUT.stream] = _stream_spec(forecast)
    return graphs


def export_forecast(model: Forecaster, graph: str, target: Target = "portable") -> bytes:
    """One graph of `model`, by file name, as ONNX. Raises ExportError."""
    forecast = model.forecast
    spec = forecast_graphs(forecast)[graph]
    shortest = forecast.window.shortest if graph == LAYOUT.model else 1
    module: nn.Module = model if graph == LAYOUT.model else ForecasterStream(model).eval()
    # Any length will do; one that no other size of the model equals keeps errors readable.
    example = {BATCH: 3, SEQUENCE_LENGTH: shortest + 6}
    return export_graph(
        module,
        [_zeros(tensor, example) for tensor in spec.inputs],
        Contract(task="forecast", graph=spec, forecast=forecast),
        shortest={SEQUENCE_LENGTH: shortest},
        target=target,
    )


def _zeros(tensor: TensorSpec, example: dict[str, int]) -> Tensor:
    return torch.zeros([example[a] if isinstance(a, str) else a for a in tensor.axes])


def _model_spec(forecast: Forecast) -> GraphSpec:
    output = (BATCH, forecast.window.horizon, len(forecast.targets))
    return GraphSpec((_rows(forecast),), (TensorSpec("output", "float32", output),))


def _stream_spec(forecast: Forecast) -> GraphSpec:
    recurrent, lag = forecast.recurrent, forecast.window.difference
    state: dict[str, tuple[str | int, ...]] = {}
    state["h"] = (recurrent.num_layers, BATCH, recurrent.state_size)
    if recurrent.cell == "lstm":
        state["c"] = (recurrent.num_layers, BATCH, recurrent.hidden_size)
    if lag:
        state["rows"] = (BATCH, lag, len(forecast.features))
    output = (BATCH, SEQUENCE_LENGTH, forecast.window.horizon, len(forecast.targets))
    return GraphSpec(
        (_rows(forecast), *_state("initial", state)),
        (TensorSpec("output", "float32", output), *_state("final", state)),
    )


def _rows(forecast: Forecast) -> TensorSpec:
    return TensorSpec("x", "float32", (BATCH, SEQUENCE_LENGTH, len(forecast.features)))


def _state(end: str, state: dict[str, tuple[str | int, ...]]) -> list[TensorSpec]:
    return [TensorSpec(f"{end}_{name}", "float32", axes) for name, axes in state.items()]
