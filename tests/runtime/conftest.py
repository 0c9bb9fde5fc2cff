"""Forecasters with random weights, by the property that a test is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_export.compare.rule import bound
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
    "two layers of two": terms_of(bidirectional=True, num_layers=2, horizon=2),
    "stacked gru": terms_of(cell="gru", num_layers=2, features=2),
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


Require = Callable[[Any], None]


@pytest.fixture(scope="session")
def alone() -> Callable[[Forecast, Sequence[Any]], Require]:
    """A function from terms and sequences to one that fails unless row i of what it is given is
    the forecast after sequence i, by the parity rule against the oracle.

    The model is one that `make_bundle` makes of the terms, with the very same weights.
    """
    import torch

    from lstm_export.nn.forecaster import Forecaster
    from lstm_export.oracle import forecaster as oracle

    def required(terms: Forecast, sequences: Sequence[Any]) -> Require:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = Forecaster(terms).eval()
        weights = {name: value.numpy() for name, value in network.state_dict().items()}
        reference = np.empty((len(sequences), terms.window.horizon, len(terms.targets)))
        torch_output = np.empty_like(reference)
        lengths = np.array([len(x) for x in sequences])
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            x = np.stack([sequences[i] for i in rows]).astype(np.float32)
            reference[rows] = oracle.forecast(terms, weights, x)
            with torch.no_grad():
                torch_output[rows] = network(torch.from_numpy(x)).numpy()
        allowed = bound(reference, torch_output)

        def require(got: Any) -> None:
            assert got.shape == reference.shape
            error = np.abs(got - reference)
            assert (error <= allowed).all(), f"off by {error.max()}, allowed is {allowed.max()}"

        return require

    return required


@pytest.fixture(scope="session")
def random_sequences() -> Callable[[Forecast, Sequence[int], int], list[Any]]:
    """A function from terms, lengths and a seed to sequences in raw units."""

    def sequences(terms: Forecast, lengths: Sequence[int], seed: int) -> list[Any]:
        rng = np.random.default_rng(seed)
        shape = len(terms.features)
        return [rng.normal(0.5, 2.0, (n, shape)).astype(np.float32) for n in lengths]

    return sequences
