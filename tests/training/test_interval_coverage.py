"""From data to the runtime: intervals of a trained model hold fresh data as often as they say.

AR(2) series, whose future has one law throughout. A share observed over fresh windows has three
sources of noise, all in `bounds`: the finite validation part, the finite fresh data, and that
neighbouring windows overlap, so that each counts for less than one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lstm_export.bundling import export_bundle
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.intervals import ForecastInterval
from lstm_export.runtime.load import load_forecaster
from lstm_export.training.options import TrainOptions
from lstm_export.training.train import train

Values = npt.NDArray[np.float64]

PHI, NOISE = (1.2, -0.5), 1.0
HISTORY, STEPS, FRESH = 8, 6, 1500
LEVELS = (0.5, 0.8, 0.9, 0.95)
VALIDATION = 450
"""Rows of the part that the residuals are from: 0.3 of 1500."""


def ar2(rows: int, seed: int) -> Values:
    noise = np.random.default_rng(seed).normal(0, NOISE, rows + 100)
    x = np.zeros(rows + 100)
    for t in range(2, rows + 100):
        x[t] = PHI[0] * x[t - 1] + PHI[1] * x[t - 2] + noise[t]
    return x[100:]


def deviation(step: int) -> float:
    """Of the best possible forecast's error: the noise weighted by the impulse response."""
    psi = [1.0, PHI[0]]
    while len(psi) < step:
        psi.append(PHI[0] * psi[-1] + PHI[1] * psi[-2])
    return NOISE * math.sqrt(sum(p * p for p in psi[:step]))


@dataclass(frozen=True)
class Shown:
    """One model's intervals at one level over fresh windows: each (windows, STEPS)."""

    interval: ForecastInterval
    truth: Values

    def shares(self, shrunken: float = 1.0) -> Values:
        """The share of the truth that intervals of `shrunken` width hold, by step."""
        half = (self.interval.upper - self.interval.lower)[..., 0] / 2 * shrunken
        return np.mean(np.abs(self.truth - self.interval.forecast[..., 0]) <= half, axis=0)


def shown(model: ForecastModel, level: float) -> Shown:
    fresh = ar2(FRESH + HISTORY + STEPS, seed=1000)
    windows = np.lib.stride_tricks.sliding_window_view(fresh, HISTORY + STEPS)[:FRESH]
    history = np.ascontiguousarray(windows[:, :HISTORY, np.newaxis])
    return Shown(model.forecast(history, STEPS, coverage=level), windows[:, HISTORY:])


def violations(shares: Values, level: float) -> list[str]:
    """The steps whose share is further from `level` than noise explains."""
    found = []
    for step, share in enumerate(shares.tolist(), start=1):
        # Errors h steps ahead are correlated over h windows.
        independent = 1 / (1 / (FRESH / step) + 1 / (VALIDATION / step))
        noise = 4 * math.sqrt(level * (1 - level) / independent)
        if abs(share - level) > noise:
            found.append(f"{share:.3f} instead of {level} ± {noise:.3f} at step {step}")
    return found


@pytest.fixture(scope="module", params=[("direct", 0), ("fed back", 1), ("fed back", 2)], ids=str)
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ForecastModel:
    kind, seed = request.param
    folder = tmp_path_factory.mktemp("ar2")
    data: Path = folder / "ar2.csv"
    data.write_text("x\n" + "\n".join(f"{value:.6f}" for value in ar2(1500, seed)) + "\n")
    options = TrainOptions(
        str(data),
        target=("x",),
        cell="gru",
        hidden_size=6,
        context_length=HISTORY,
        horizon=STEPS if kind == "direct" else 1,
        validation=0.3,
        test=0.1,
        epochs=4,
        batch_size=32,
        seed=seed,
    )
    result = train(options, folder / "run")
    covered = result.description.metrics["test_coverage"]
    assert covered["level"] == 0.9
    assert 0.8 <= covered["one_step"]["x"] <= 0.98
    export_bundle(folder / "run", folder / "bundle")
    loaded = load_forecaster(folder / "bundle")
    assert loaded.intervals == result.description.intervals
    return loaded


@pytest.mark.parametrize("level", LEVELS)
def test_fresh_data_are_held_at_every_step(model: ForecastModel, level: float) -> None:
    found = shown(model, level)
    assert violations(found.shares(), level) == []
    # And not by being wide: a model of a few epochs errs little more than the best there is.
    width = (found.interval.upper - found.interval.lower)[0, :, 0] / 2
    normal = {0.5: 0.674, 0.8: 1.282, 0.9: 1.645, 0.95: 1.960}[level]
    best = np.array([deviation(step) for step in range(1, STEPS + 1)])
    assert (width <= 1.5 * normal * best).all()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("factor", [0.6, 1.7])
def test_other_widths_are_found_out(model: ForecastModel, level: float, factor: float) -> None:
    assert violations(shown(model, level).shares(shrunken=factor), level)
