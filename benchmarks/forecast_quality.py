"""Test errors of trained models on real series, one step ahead on the last fifth: median of seeds.

    python benchmarks/forecast_quality.py [--case sunspots] [--seeds 5] [--data FOLDER]

Options are those of configs/*.toml and, where these are silent, the defaults. FOLDER (default: the
environment's LSTM_EXPORT_DATA, else ../shared/data beside the checkout) holds the series that do
not come with the package; without it their cases are left out. Prints JSON: by case the test RMSE
of every seed, the median, the baselines, and whether the bound is reached.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lstm_export.training.config import resolve
from lstm_export.training.train import TrainResult, train

HERE = Path(__file__).resolve().parent
CHOSEN = (
    "Hyper-parameters were chosen on rows outside the test part alone: by the validation part and "
    "by rolling origins, where the last fifth of the rows before the test part, and of the rows "
    "before that, stood in for it; for sine also on other draws of the noise."
)


@dataclass(frozen=True)
class Case:
    bound: float | None
    """What the median has to reach at most; None: less than naive and seasonal naive."""
    file: str | None = None
    """Within the data folder; None: the data set comes with the package."""
    measure: str = "test RMSE"


CASES = {
    "sunspots": Case(17.5),
    "co2": Case(0.43, "co2_mauna_loa/co2_monthly_clean.csv"),
    "seattle": Case(None, "seattle_weather/seattle_weather_daily.csv"),
    "sine": Case(1.15, measure="test MSE / mean square of the noise over the test rows"),
}


def rmse(result: TrainResult) -> dict[str, float]:
    """The test RMSE by method."""
    metrics = result.description.metrics["test"]
    (target,) = (column.name for column in result.description.forecaster.targets)
    return {method: errors[target]["rmse"] for method, errors in metrics.items()}


def over_noise(result: TrainResult) -> dict[str, float]:
    """Test MSE by method, as a multiple of what a model that knows the sine would have."""
    i = np.arange(1, len(result.series.values) + 1)
    noise = result.series.target_values[:, 0] - np.sin(0.01 * i)
    realised = float(np.mean(noise[-result.description.metrics["windows"]["test"] :] ** 2))
    return {method: error**2 / realised for method, error in rmse(result).items()}


def measure(name: str, seeds: int, folder: Path) -> dict[str, Any]:
    case = CASES[name]
    errors_of: Callable[[TrainResult], dict[str, float]] = over_noise if name == "sine" else rmse
    data = str(folder / case.file) if case.file else None
    runs, epochs, validation = [], [], []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as out:
            options = resolve({"data": data, "seed": seed}, HERE / "configs" / f"{name}.toml")
            result = train(options, Path(out) / "run")
        metrics = result.description.metrics
        runs.append(errors_of(result))
        epochs.append(f"{metrics['best_epoch']} of {metrics['epochs']}")
        validation.append(round(metrics["validation_loss"], 5))
        print(f"{name}  seed {seed}: {runs[-1]['model']:.4f}", file=sys.stderr, flush=True)
    median = statistics.median(run["model"] for run in runs)
    baselines = {method: error for method, error in runs[0].items() if method != "model"}
    bound = case.bound or min(baselines["naive"], baselines["seasonal naive"])
    return {
        "measure": case.measure,
        "seeds": [round(run["model"], 4) for run in runs],
        "median": round(median, 4),
        "baselines": {method: round(error, 4) for method, error in baselines.items()},
        "bound": round(bound, 4),
        "reached": median <= bound if case.bound else median < bound,
        "best_epochs": epochs,
        "validation_losses": validation,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("LSTM_EXPORT_DATA", HERE.parent.parent / "shared" / "data")
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=Path(default))
    given = parser.parse_args()
    results: dict[str, Any] = {"chosen": CHOSEN}
    for name in given.case or CASES:
        file = CASES[name].file
        if file and not (given.data / file).is_file():
            results[name] = f"left out: there is no {file} in the data folder"
            continue
        results[name] = measure(name, given.seeds, given.data)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
