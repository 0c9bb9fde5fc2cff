"""What a run folder tells besides its checkpoint: losses, test predictions, options, sizes."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lstm_export.contract import Forecast
from lstm_export.errors import CheckpointError
from lstm_export.report.losses_figure import Losses
from lstm_export.report.predictions_figure import PredictionPlot

LOSSES, PREDICTIONS, OPTIONS, REPORT = "metrics.jsonl", "predictions.csv", "run.toml", "report.html"

T = TypeVar("T")


def read_losses(run: Path, best: int | None) -> Losses | None:
    """`metrics.jsonl`; None where the run has none. Raises CheckpointError if it is damaged."""

    def read(text: str) -> Losses | None:
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
        if not lines:
            return None
        return Losses(
            [int(line["epoch"]) for line in lines],
            [float(line["train_loss"]) for line in lines],
            [line.get("validation_loss") for line in lines],
            best,
        )

    return _read(run / LOSSES, read)


def read_options(run: Path) -> tuple[str, Mapping[str, Any]] | None:
    """`run.toml` as text and as values; None where the run has none."""
    return _read(run / OPTIONS, lambda text: (text, tomllib.loads(text)))


def read_predictions(run: Path, forecast: Forecast) -> tuple[str, list[PredictionPlot]] | None:
    """`predictions.csv`: the name of its largest series, and one plot per target of that series."""

    def read(text: str) -> tuple[str, list[PredictionPlot]] | None:
        header, *rows = csv.reader(text.splitlines())
        if "time" not in header:
            raise ValueError(f"expected a column 'time', got {', '.join(header)}")
        if not rows:
            return None
        cells = dict(zip(header, np.array(rows).T, strict=True))
        names, counts = np.unique(cells["series"], return_counts=True)
        shown = names[np.argmax(counts)]
        mine = cells["series"] == shown
        time_format = forecast.time.format if forecast.time else None
        plots = []
        for column in forecast.targets:
            truth, prediction, naive = (
                cells[f"{column.name} {what}"][mine].astype(np.float64)
                for what in ("truth", "prediction", "naive")
            )
            times = cells["time"][mine].tolist()
            plots.append(
                PredictionPlot(
                    column.name, column.unit, times, truth, prediction, naive, time_format
                )
            )
        return str(shown), plots

    return _read(run / PREDICTIONS, read)


def file_sizes(folder: Path) -> dict[str, int]:
    """Bytes by name of every file of `folder`, the report itself aside."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    sizes.pop(REPORT, None)
    return sizes


def _read(file: Path, parse: Callable[[str], T | None]) -> T | None:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CheckpointError(f"{file} is damaged: {type(error).__name__}: {error}") from None
