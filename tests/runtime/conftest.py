"""Forecasters with random weights, by the property that a test is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.load import load_forecaster


def terms_of(
    *,
    features: int = 1,
    targets: int = 1,
    difference: int = 0,
    horizon: int = 1,
    bidirectional: bool = False,
    cell: str = "lstm",
    num_layers: int = 1,
    proj_size: int = 0,
) -> Forecast:
    columns = tuple(Column(f"feature_{i}", "m", -2.0, 3.0) for i in range(features))
    offsets = tuple(0.25 * (i + 1) for i in range(features))
    scales = tuple(1.5 + i for i in range(features))
    return Forecast(
        features=columns,
        targets=columns[:targets],
        window=Window(context_length=6, horizon=horizon, difference=difference),
        input_scaling=Scaling("standard", offsets, scales),
        target_scaling=Scaling("standard", offsets[:targets], scales[:targets]),
        recurrent=Recurrent(cell, features, 5, num_layers, bidirectional, proj_size),  # type: ignore[arg-type]
    )


KINDS = {
    "plain": terms_of(),
    "seasonal": terms_of(difference=3, num_layers=2),
    "direct": terms_of(cell="gru", features=2, targets=2, difference=2, horizon=3),
    "exogenous": terms_of(features=3, difference=1, proj_size=3),
    "bidirectional": terms_of(cell="rnn", bidirectional=True, difference=1),
}


@pytest.fixture(scope="session")
def bundle(make_bundle: Callable[[Forecast], Path]) -> Callable[[str], Path]:
    """The bundle of one of KINDS."""
    return lambda kind: make_bundle(KINDS[kind])


@pytest.fixture(scope="session")
def model(bundle: Callable[[str], Path]) -> Callable[[str], ForecastModel]:
    """The loaded bundle of one of KINDS."""
    models: dict[str, ForecastModel] = {}

    def load_kind(kind: str) -> ForecastModel:
        if kind not in models:
            models[kind] = load_forecaster(bundle(kind))
        return models[kind]

    return load_kind
