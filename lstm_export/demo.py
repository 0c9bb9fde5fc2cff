"""The whole way in one call: train, export, verify, forecast without torch, report.

DIR/run          the training run      DIR/report.html    plots and numbers
DIR/bundle       what is deployed      DIR/forecast.csv   eleven years ahead
DIR/demo.json    the numbers, for machines
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_export.errors import MissingExtraError
from lstm_export.files import new_folder, write_atomic
from lstm_export.report.commands import command

if TYPE_CHECKING:
    from lstm_export.bench.timings import Timings
    from lstm_export.checkpoint import Description
    from lstm_export.data.series import Series
    from lstm_export.parity.report import ParityReport

DATASET = "sunspots"
YEARS_AHEAD = 11
"""About one solar cycle."""
MARKER = "demo.json"
"""The file by which a folder is known to be a demo's."""

# Torch is made impossible to import, so that the forecast proves what the runtime does without.
_FORECAST = """
import json, sys
sys.modules["torch"] = None
import lstm_export
history, horizon = json.load(sys.stdin)
model = lstm_export.load(sys.argv[1])
print(json.dumps(model.forecast(history, horizon=horizon).tolist()))
"""

_PACKAGES = (
    "torch",
    "lightning_fabric",
    "onnx",
    "onnxscript",
    "safetensors",
    "tomli_w",
    "matplotlib",
    "jinja2",
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo found."""

    description: Description
    parity: ParityReport
    timings: Timings
    forecast: Mapping[str, float]
    """Sunspot number by year."""
    sizes: Mapping[str, int]
    """Bytes by path inside the demo's folder."""

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values.

        Keys: `data`; `test` (by method and target: `rmse`, `mae`); `parity` (as `verify --json`
        without the single `comparisons`); `timings` (seconds: `latency` and `cold_start`, each
        with `torch` and `bundle`); `forecast` (by year); `sizes` (bytes, by file).
        """
        parity = self.parity.to_dict()
        del parity["comparisons"]
        return {
            "data": self.description.data.name,
            "test": self.description.metrics["test"],
            "parity": parity,
            "timings": self.timings.to_dict(),
            "forecast": dict(self.forecast),
            "sizes": dict(self.sizes),
        }


def run_demo(
    out: Path,
    *,
    force: bool = False,
    seed: int | None = None,
    epochs: int | None = None,
    say: Say = lambda message: None,
) -> DemoResult:
    """Runs the demo into the folder `out`, whole or not at all; `say` hears of every step.

    A parity failure stands in the result and raises nothing. An earlier demo at `out` is replaced,
    anything else there is kept. Raises OutputError, or MissingExtraError where the train
    extra is not installed.
    """
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, "train", "the demo")
    replace_earlier = force or (out / MARKER).is_file()
    with new_folder(out, force=replace_earlier, marker=MARKER) as folder:
        result = _run(folder, out, {"seed": seed, "epochs": epochs}, say)
        document = json.dumps(result.to_dict(), indent=2, ensure_ascii=False)
        write_atomic(folder / MARKER, document + "\n")
    return result


def next_steps(out: Path) -> str:
    """Commands to try after the demo at `out`, each ready to be pasted."""
    bundle = out / "bundle"
    ahead = ("--horizon", str(YEARS_AHEAD), "--plot", "forecast.png")
    return "\n".join(
        (
            command("predict", bundle, DATASET, *ahead),
            command("verify", bundle, "--against", out / "run"),
            command("train", "your.csv", "--target", "your_column", "--out", "runs/first"),
        )
    )


def _run(folder: Path, out: Path, chosen: Mapping[str, int | None], say: Say) -> DemoResult:
    import numpy as np

    from lstm_export.bench.timings import measure
    from lstm_export.bundling import export_bundle
    from lstm_export.data.embedded import EMBEDDED
    from lstm_export.data.write import write_table
    from lstm_export.parity.verify import verify
    from lstm_export.report.run_files import file_sizes
    from lstm_export.report.run_report import write_run_report
    from lstm_export.training.config import resolve
    from lstm_export.training.device import threads
    from lstm_export.training.progress import PlainProgress
    from lstm_export.training.train import train

    run, bundle = folder / "run", folder / "bundle"
    say(f"1/6  train on {EMBEDDED[DATASET].title}")
    trained = train(resolve({"data": DATASET, **chosen}), run, progress=PlainProgress(say))
    description, series = trained.description, trained.series
    # Of a small model torch's threads wait for each other more than they work.
    with threads(1):
        say("2/6  export the run as a bundle")
        export_bundle(run, bundle)
        say("3/6  verify the bundle against torch and the oracle")
        parity = verify(bundle, against=run)
    # The folder is about to get its final name: what is reported must be found there.
    parity = replace(parity, bundle=str(out / "bundle"), against=str(out / "run"))
    say(f"4/6  forecast {YEARS_AHEAD} years in a process that cannot import torch")
    terms = description.forecaster
    forecast = _forecast(bundle, series, terms.window.history)
    columns: dict[str, list[object]] = {"year": list(forecast), DATASET: list(forecast.values())}
    write_table(folder / "forecast.csv", columns, force=False)
    say("5/6  time torch and the bundle side by side")
    window = series.values[None, -terms.window.history :].astype(np.float32)
    timings = measure(run, bundle, window)
    say("6/6  write the report")
    write_run_report(
        folder / "report.html",
        run=run,
        bundle=bundle,
        parity=parity,
        series=series,
        timings=timings,
        horizon=YEARS_AHEAD,
        next_steps=next_steps(out),
    )
    return DemoResult(description, parity, timings, forecast, file_sizes(folder))


def _forecast(bundle: Path, series: Series, rows: int) -> dict[str, float]:
    """The forecast by year, made in a fresh process from the last `rows` rows of the series."""
    from lstm_export.bench.cold_start import child_environment
    from lstm_export.data.time import continue_times

    done = subprocess.run(
        [sys.executable, "-c", _FORECAST, str(bundle)],
        input=json.dumps([series.values[-rows:].tolist(), YEARS_AHEAD]),
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the torch-free process could not forecast:\n{done.stderr}")
    years = continue_times(series.time, series.timestamps[-1], YEARS_AHEAD)
    return {year: row[0] for year, row in zip(years, json.loads(done.stdout), strict=True)}
