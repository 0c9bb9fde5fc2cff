"""How good the forecasts are: the test metrics beside the baselines, as values to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lstm_export.contract import Forecast
from lstm_export.report.page import Table
from lstm_export.report.text import number, percent, short

MODEL, BASELINES = "model", ("naive", "seasonal naive", "drift")


@dataclass(frozen=True, slots=True)
class Best:
    """The first target's RMSE beside that of the best baseline."""

    target: str
    rmse: float
    baseline: str
    baseline_rmse: float

    @property
    def sentence(self) -> str:
        """For example: 44 % below the best baseline (drift)."""
        if self.baseline_rmse <= 0:
            return f"the best baseline, {self.baseline}, is exact"
        change = self.rmse / self.baseline_rmse - 1
        side = "below" if change < 0 else "above"
        return f"{percent(abs(change))} {side} the best baseline ({self.baseline})"


def best(forecast: Forecast, metrics: Mapping[str, Any]) -> Best | None:
    """The headline of a run; None where its metrics lack the model or every baseline."""
    target, scores = forecast.targets[0].name, metrics.get("test", {})
    model = _score(scores, MODEL, target, "rmse")
    found = {name: _score(scores, name, target, "rmse") for name in BASELINES}
    known = {name: rmse for name, rmse in found.items() if rmse is not None}
    if model is None or not known:
        return None
    name = min(known, key=lambda key: known[key])
    return Best(target, model, name, known[name])


def accuracy_tables(forecast: Forecast, metrics: Mapping[str, Any]) -> list[Table]:
    """One table per target: RMSE and MAE of the model and of each baseline on the test part."""
    horizon = forecast.window.horizon
    scopes = [("test", f"all {horizon} steps" if horizon > 1 else "")]
    if horizon > 1:
        scopes.append(("test_one_step", "first step"))
    header = ["forecast"]
    for _, words in scopes:
        header += [f"{name}, {words}" if words else name for name in ("RMSE", "MAE")]
    header.append("model is better by")
    tables = []
    for column in forecast.targets:
        rows = []
        for method in (MODEL, *BASELINES):
            cells = [
                _score(metrics.get(scope, {}), method, column.name, measure)
                for scope, _ in scopes
                for measure in ("rmse", "mae")
            ]
            if any(cell is not None for cell in cells):
                gain = _gain(metrics.get("test", {}), method, column.name)
                rows.append([_label(method, metrics), *map(number, cells), gain])
        unit = f" ({short(column.unit)})" if column.unit else ""
        caption = f"{short(column.name)}{unit}, {_windows(metrics)}"
        tables.append(Table(caption, header, rows, frozenset({0})))
    return tables


def _label(method: str, metrics: Mapping[str, Any]) -> str:
    season = metrics.get("season")
    return f"{method} (season {season})" if method == "seasonal naive" and season else method


def _windows(metrics: Mapping[str, Any]) -> str:
    count = metrics.get("windows", {}).get("test")
    return "test part" if count is None else f"test part, {count:,} windows"


def _gain(scores: Mapping[str, Any], method: str, target: str) -> str:
    model, other = _score(scores, MODEL, target, "rmse"), _score(scores, method, target, "rmse")
    if method == MODEL or model is None or not other:
        return ""
    return percent(1 - model / other).replace("-", "−")


def _score(scores: Any, method: str, target: str, measure: str) -> float | None:
    try:
        value = scores[method][target][measure]
    except (KeyError, TypeError):
        return None
    return float(value) if isinstance(value, int | float) else None
