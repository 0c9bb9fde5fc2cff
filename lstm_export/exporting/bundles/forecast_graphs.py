"""The graphs of a forecaster: their tensors, and examples to trace them on."""

from __future__ import annotations

import torch
from torch import Tensor

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import (
    BATCH,
    FUTURE_LENGTH,
    HORIZON,
    SEQUENCE_LENGTH,
    Contract,
    Forecast,
    GraphSpec,
    TensorSpec,
)
from lstm_export.exporting.feedback.graph import feedback_graph
from lstm_export.exporting.module import export_graph
from lstm_export.exporting.target import Target
from lstm_export.nn.forecaster import Forecaster
from lstm_export.nn.forms import module_of


def forecast_graphs(forecast: Forecast) -> dict[str, GraphSpec]:
    """The graphs a forecaster has, by file name.

    `stream.onnx` where it is causal, and then `forecast.onnx` where a forecast can be fed back;
    `ragged.onnx` where it has two directions.
    """
    graphs = {LAYOUT.model: _model_spec(forecast)}
    if not forecast.causal:
        return {**graphs, LAYOUT.ragged: _ragged_spec(forecast)}
    graphs[LAYOUT.stream] = _stream_spec(forecast)
    if forecast.feeds_back:
        graphs[LAYOUT.forecast] = _feedback_spec(forecast)
    return graphs


def export_forecast(model: Forecaster, graph: str, target: Target = "portable") -> bytes:
    """One graph of `model`, by file name, as ONNX. Raises ExportError."""
    forecast = model.forecast
    spec = forecast_graphs(forecast)[graph]
    contract = Contract(task="forecast", graph=spec, forecast=forecast)
    if graph == LAYOUT.forecast:
        return feedback_graph(model, contract)
    shortest = 1 if graph == LAYOUT.stream else forecast.window.shortest
    # Any length will do; one that no other size of the model equals keeps errors readable.
    example = {BATCH: 3, SEQUENCE_LENGTH: shortest + 6}
    return export_graph(
        module_of(model, graph),
        [_example(tensor, example) for tensor in spec.inputs],
        contract,
        shortest={SEQUENCE_LENGTH: shortest},
        target=target,
    )


def _example(tensor: TensorSpec, sizes: dict[str, int]) -> Tensor:
    shape = [sizes[axis] if isinstance(axis, str) else axis for axis in tensor.axes]
    if tensor.dtype == "int64":  # lengths, of sequences that fill the batch
        return torch.full(shape, sizes[SEQUENCE_LENGTH])
    return torch.zeros(shape)


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


def _feedback_spec(forecast: Forecast) -> GraphSpec:
    inputs = [_rows(forecast), TensorSpec("horizon", "int64", ())]
    if forecast.known:
        rows = (BATCH, FUTURE_LENGTH, len(forecast.known))
        inputs.append(TensorSpec("future", "float32", rows))
    output = (BATCH, HORIZON, len(forecast.targets))
    return GraphSpec(tuple(inputs), (TensorSpec("output", "float32", output),))


def _ragged_spec(forecast: Forecast) -> GraphSpec:
    whole = _model_spec(forecast)
    return GraphSpec((*whole.inputs, TensorSpec("lengths", "int64", (BATCH,))), whole.outputs)


def _rows(forecast: Forecast) -> TensorSpec:
    return TensorSpec("x", "float32", (BATCH, SEQUENCE_LENGTH, len(forecast.features)))


def _state(end: str, state: dict[str, tuple[str | int, ...]]) -> list[TensorSpec]:
    return [TensorSpec(f"{end}_{name}", "float32", axes) for name, axes in state.items()]
