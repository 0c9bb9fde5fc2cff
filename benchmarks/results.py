"""What every task reaches: each data set trained with several seeds, into docs/results.md.

    python benchmarks/results.py [--case digits] [--seeds 5] [--jobs CORES] [--data FOLDER] [--page]

`make results` calls it. Options are those of configs/*.toml; sets that come with the package bring
their own. FOLDER (default: the environment's LSTM_EXPORT_DATA, else ../shared/data beside the
checkout) holds those that do not. What is measured goes into results.json and from there into the
tables of docs/results.md; a case whose data is absent is named, and keeps what was measured before.
`--page` writes the tables anew from results.json and trains nothing. Each model trains on one core,
as many side by side as `--jobs` says. Exits with 1 if a median misses its bound.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from results_page import write_page

from lstm_export.data.embedded import known
from lstm_export.training.config import resolve
from lstm_export.training.options import TrainOptions
from lstm_export.training.train import train

HERE = Path(__file__).resolve().parent
MEASURED = HERE / "results.json"
PAGE = HERE.parent / "docs" / "results.md"
DATA = HERE.parent.parent / "shared" / "data"


@dataclass(frozen=True)
class Case:
    """One data set with its options, and what the median of the seeds has to reach."""

    bound: float
    files: tuple[str, str] | None = None
    """To train and to test on, within the data folder; None: the set comes with the package."""
    config: bool = False
    """Whether configs/NAME.toml has options beside those that the set brings."""
    data: str = ""
    """The set in the package, where the case has another name."""

    def options(self, name: str, folder: Path, **flags: Any) -> TrainOptions:
        """Those of a run; `folder` holds the files, `flags` come before all else."""
        flags = {"data": self.data or name, **flags}
        if self.files is not None:
            flags["data"], flags["test_data"] = (str(folder / file) for file in self.files)
        return resolve(flags, HERE / "configs" / f"{name}.toml" if self.config else None)


_VOWELS = ("JapaneseVowels/JapaneseVowels_TRAIN.csv", "JapaneseVowels/JapaneseVowels_TEST.csv")
_POWER = (
    "ItalyPowerDemand/ItalyPowerDemand_TRAIN.csv",
    "ItalyPowerDemand/ItalyPowerDemand_TEST.csv",
)
CASES = {
    "japanese_vowels": Case(0.965, _VOWELS, config=True),
    "italy_power_demand": Case(0.955, _POWER, config=True),
    "digits": Case(0.98),
    "recall": Case(0.99),
    "recall_100": Case(0.99, config=True, data="recall:100"),
    "texts": Case(0.99),
    "tags": Case(0.99),
    "sum": Case(0.999),
}

Row = dict[str, Any]


def one_run(name: str, seed: int, folder: Path) -> Row:
    """Trains one model. In a process of its own, on one core: the same numbers on any count."""
    torch.set_num_threads(1)
    options = CASES[name].options(name, folder, seed=seed)
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        result = train(options, Path(out) / "run")
        seconds = time.perf_counter() - began
    metrics = result.description.metrics
    return {
        "task": options.task,
        "data": options.data if known(options.data) else Path(options.data).parent.name,
        "test": metrics["test"],
        "classes": len(metrics.get("classes", ())),
        "sequences": metrics["sequences"],
        "parameters": metrics["parameters"],
        "epochs": metrics["epochs"],
        "seconds": seconds,
    }


def summary(bound: float, runs: list[Row]) -> Row:
    """The runs of one case, one per seed, as a row of results.json."""
    first = runs[0]
    by_method: dict[str, list[float]] = {}
    for run in runs:
        for method, values in run["test"].items():
            by_method.setdefault(method, []).append(score(values))
    model = by_method.pop("model")
    return {
        **{key: first[key] for key in ("task", "data", "classes", "sequences", "parameters")},
        "measure": "R²" if first["task"] == "regress" else "accuracy",
        "bound": bound,
        "median": round(statistics.median(model), 5),
        "seeds": [round(value, 5) for value in model],
        "baselines": {name: round(values[0], 5) for name, values in by_method.items()},
        "epochs": [run["epochs"] for run in runs],
        "seconds": round(statistics.median(run["seconds"] for run in runs), 1),
        "torch": torch.__version__,
    }


def score(values: Row) -> float:
    """Accuracy, or R² of the only target."""
    if "accuracy" in values:
        return float(values["accuracy"])
    (errors,) = values.values()
    return float(errors["r2"])


def _measure(names: list[str], seeds: int, jobs: int, folder: Path) -> dict[str, Row]:
    runs: dict[str, list[Future[Row]]] = {}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        for name in names:
            runs[name] = [pool.submit(one_run, name, seed, folder) for seed in range(seeds)]
        measured = {}
        for name, futures in runs.items():
            row = measured[name] = summary(CASES[name].bound, [one.result() for one in futures])
            print(
                f"{name}: {row['measure']} {row['median']:.4f} ({min(row['seeds']):.4f} to "
                f"{max(row['seeds']):.4f}), at least {row['bound']}; {row['seconds']:.0f} s",
                flush=True,
            )
    return measured


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("LSTM_EXPORT_DATA", DATA)))
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    stored: dict[str, Row] = json.loads(MEASURED.read_text("utf-8")) if MEASURED.exists() else {}
    measured: dict[str, Row] = {}
    if not given.page:
        names = []
        for name in given.case or CASES:
            absent = [f for f in CASES[name].files or () if not (given.data / f).is_file()]
            if absent:
                print(f"{name}: left as it was: there is no {absent[0]} in {given.data}")
            else:
                names.append(name)
        measured = _measure(names, given.seeds, given.jobs, given.data)
    rows = {name: {**stored, **measured}[name] for name in CASES if name in {**stored, **measured}}
    lines = ",\n".join(
        f'"{name}": {json.dumps(row, ensure_ascii=False)}' for name, row in rows.items()
    )
    MEASURED.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    write_page(rows, PAGE)
    return int(any(row["median"] < row["bound"] for row in measured.values()))


if __name__ == "__main__":
    sys.exit(main())
