"""One run of a comparison: trained, or found trained; judged, and how far its gradient reaches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lstm_export.cells.comparison import Finding, Metric, Reach
from lstm_export.cells.plan import Trial
from lstm_export.cells.reach import gradient_reach
from lstm_export.checkpoint import Description, read_checkpoint
from lstm_export.errors import LstmExportError
from lstm_export.files import write_atomic
from lstm_export.nn.build import build, build_sequence_model
from lstm_export.training.device import quiet_torch, threads
from lstm_export.training.evaluate import MODEL
from lstm_export.training.options import TrainOptions
from lstm_export.training.progress import Progress
from lstm_export.training.train import TrainResult, train

_SEQUENCES = 64
"""Of the test part, evenly spread, on which the gradient is measured."""


def run_trial(
    trial: Trial, options: TrainOptions, runs: Path, progress: Progress
) -> tuple[Finding, Metric, TrainResult]:
    """Trains `trial` into a folder of `runs`, or goes on with what stands there.

    What is known beside the run, its time and its gradients, is kept in a file next to its folder.
    Raises what `train` raises, an error naming the trial.
    """
    folder, record = runs / trial.name, runs / f"{trial.name}.json"
    try:
        result = train(options, folder, resume=folder.exists(), progress=progress)
    except LstmExportError as error:
        error.args = (f"{trial}: {error}",)
        raise
    kept = _read(record) if result.was_finished else None
    if kept is None:
        kept = {"seconds": result.seconds, "reach": _reach(result)}
        write_atomic(record, json.dumps(kept) + "\n")
    metric, scores = judged(result.description)
    metrics = result.description.metrics
    finding = Finding(
        trial,
        metrics["parameters"],
        kept["seconds"],
        metrics["epochs"],
        scores.pop(MODEL),
        scores,
        None if kept["reach"] is None else Reach(*map(tuple, kept["reach"])),
    )
    return finding, metric, result


def judged(description: Description) -> tuple[Metric, dict[str, float]]:
    """What a task is judged by, and what model and baselines reach, by method.

    Labels: accuracy. Numbers: the RMSE of the first target; a forecaster's is one step ahead.
    """
    metrics = description.metrics
    if description.forecast is not None:
        target = description.forecast.targets[0]
        name = f"RMSE of {target.name}, one step ahead"
        return Metric(name, target.unit, larger_is_better=False), {
            method: of[target.name]["rmse"] for method, of in metrics["test_one_step"].items()
        }
    terms = description.sequence_terms
    if terms.classes:
        return Metric("accuracy"), {m: of["accuracy"] for m, of in metrics["test"].items()}
    target = terms.targets[0]
    return Metric(f"RMSE of {target.name}", target.unit, larger_is_better=False), {
        method: of[target.name]["rmse"] for method, of in metrics["test"].items()
    }


def _reach(result: TrainResult) -> tuple[list[float], list[float]] | None:
    """Of the trained model and of the one it was at first."""
    course = result.course
    if course.recurrent.bidirectional:
        return None
    batches = course.test_batches(torch.from_numpy)
    count = len(batches)
    order = torch.linspace(0, count - 1, min(count, _SEQUENCES)).round().long()
    z, _, *rest = next(batches.batches(len(order), order))
    lengths = rest[0] if rest else None
    with torch.random.fork_rng([]), threads(1), quiet_torch():
        torch.manual_seed(course.options.seed)
        first: Any = course.build()
        course.initialise(first)
        checkpoint = read_checkpoint(result.path)
        forecasts = checkpoint.description.forecast is not None
        trained = build(checkpoint) if forecasts else build_sequence_model(checkpoint)
        curves = [gradient_reach(model, z, lengths).tolist() for model in (trained, first)]
    return curves[0], curves[1]


def _read(record: Path) -> Mapping[str, Any] | None:
    """What was kept of a finished run; None where it was lost."""
    try:
        kept = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(kept, dict) and kept.keys() == {"seconds", "reach"}
    return kept if whole else None
