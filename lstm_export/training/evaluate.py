"""What a trained model is worth: its test errors beside the baselines', in the table's units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lstm_export.contract import Forecast, Recurrent, Window
from lstm_export.data.baselines import baseline_forecasts
from lstm_export.data.metrics import mae, rmse
from lstm_export.data.series import Series
from lstm_export.data.windows import window_targets
from lstm_export.nn.forecaster import Forecaster

Forecasts = npt.NDArray[np.float64]
Starts = npt.NDArray[np.int64]

MODEL = "model"

_ELEMENTS = 4_000_000
"""Numbers that a batch may hold at once where no gradient is needed: some tens of megabytes."""


def test_forecasts(
    model: Forecaster, series: Series, starts: Starts, season: int
) -> dict[str, Forecasts]:
    """Forecasts of the model and of every baseline, (windows, horizon, targets), raw units."""
    window = model.forecast.window
    return {
        MODEL: predict(model, series.values, starts),
        **baseline_forecasts(series, starts, window, season),
    }


def predict(model: Forecaster, values: npt.NDArray[np.float64], starts: Starts) -> Forecasts:
    """What the exported graph will say: the whole model on raw float32 rows, from `starts` on.

    `values` is (rows, features); the result (windows, horizon, targets).
    """
    device = model.offset.device
    rows = torch.from_numpy(values.astype(np.float32)).to(device)
    windows = rows.unfold(0, model.forecast.window.history, 1).transpose(1, 2)
    with torch.no_grad():
        batches = torch.split(torch.from_numpy(starts).to(device), evaluation_batch(model.forecast))
        pieces = [model(windows[batch]).cpu() for batch in batches]
    return torch.cat(pieces).double().numpy()


def errors(
    forecasts: Mapping[str, Forecasts], truth: Forecasts, targets: Sequence[str]
) -> dict[str, dict[str, dict[str, float]]]:
    """RMSE and MAE by method and target."""
    return {
        method: {
            target: {"rmse": float(root), "mae": float(absolute)}
            for target, root, absolute in zip(
                targets, rmse(predicted, truth), mae(predicted, truth), strict=True
            )
        }
        for method, predicted in forecasts.items()
    }


def test_metrics(
    forecasts: Mapping[str, Forecasts], series: Series, starts: Starts, window: Window
) -> dict[str, Any]:
    """`test`, over all steps of the horizon, and `test_one_step`, over the first alone."""
    truth = window_targets(series, starts, window)
    first = {method: predicted[:, :1] for method, predicted in forecasts.items()}
    return {
        "test": errors(forecasts, truth, series.targets),
        "test_one_step": errors(first, truth[:, :1], series.targets),
    }


def prediction_columns(
    forecasts: Mapping[str, Forecasts], series: Series, starts: Starts, window: Window
) -> dict[str, Sequence[object]]:
    """predictions.csv: the first step of every forecast beside the truth, one row per window.

    Columns are `time`, `series`, and per target `NAME truth`, `NAME prediction` and one per
    baseline.
    """
    rows = starts + window.history
    first_rows = np.array([segment.start for segment in series.segments])
    owners = np.searchsorted(first_rows, rows, side="right") - 1
    columns: dict[str, Sequence[object]] = {
        "time": [series.timestamps[int(row)] for row in rows],
        "series": [series.segments[owner].series for owner in owners.tolist()],
    }
    for i, target in enumerate(series.targets):
        columns[f"{target} truth"] = series.target_values[rows, i].tolist()
        for method, predicted in forecasts.items():
            name = "prediction" if method == MODEL else method
            columns[f"{target} {name}"] = predicted[:, 0, i].tolist()
    return columns


def evaluation_batch(terms: Forecast) -> int:
    """Windows per batch where no gradient is needed."""
    return batch_within_memory(terms.window.history, terms.recurrent)


def batch_within_memory(steps: int, spec: Recurrent) -> int:
    """Sequences of `steps` steps that go through the layers at once, without a gradient."""
    width = spec.input_size + 8 * spec.hidden_size * spec.num_directions
    return max(1, min(4096, _ELEMENTS // (steps * width)))
