"""What a run folder tells besides its checkpoint: losses, test predictions, options, sizes."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
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
    """`predictions.csv`: the name of its largest series, and one plot per target of that series.

    None where the run has no such file. Raises CheckpointError if it is damaged.
    """

    def read(text: str) -> tuple[str, list[PredictionPlot]] | None:
        # A quoted column name may hold line ends, so the reader decides what a line is.
        header = next(_rows(text))
        times, owners = header.index("time"), header.index("series")
        sizes = Counter(row[owners] for row in islice(_rows(text), 1, None))
        if not sizes:
            return None
        shown = sizes.most_common(1)[0][0]
        roles = ("truth", "prediction", "naive")
        places = [header.index(f"{c.name} {role}") for c in forecast.targets for role in roles]
        stamps: list[str] = []
        # Numbers as numbers: the text of a million rows would need ten times the room.
        columns = [array("d") for _ in places]
        for row in islice(_rows(text), 1, None):
            if row[owners] == shown:
                stamps.append(row[times])
                for column, place in zip(columns, places, strict=True):
                    column.append(float(row[place]))
        values = iter(np.asarray(column, dtype=np.float64) for column in columns)
        time_format = forecast.time.format if forecast.time else None
        return shown, [
            PredictionPlot(
                c.name, c.unit, stamps, next(values), next(values), next(values), time_format
            )
            for c in forecast.targets
        ]

    return _read(run / PREDICTIONS, read)


def file_sizes(folder: Path) -> dict[str, int]:
    """Bytes by name of every file of `folder`, the report itself aside."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    sizes.pop(REPORT, None)
    return sizes


def _rows(text: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""))


def _read(file: Path, parse: Callable[[str], T | None]) -> T | None:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CheckpointError(f"{file} is damaged: {type(error).__name__}: {error}") from None
