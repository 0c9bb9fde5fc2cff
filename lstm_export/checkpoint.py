"""The checkpoint of a run: what training leaves and exporting takes.

    RUN/checkpoint.json      the task's terms, origin, test metrics, sha256 of the weights
    RUN/model.safetensors    the best weights, named as in the module's state_dict

Reading needs NumPy and safetensors, no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.contract import (
    FORMAT_VERSION,
    DataOrigin,
    Forecast,
    Intervals,
    Sequences,
    Task,
    checked_version,
)
from lstm_export.decode import decode
from lstm_export.errors import CheckpointError, MissingExtraError
from lstm_export.files import write_atomic

DESCRIPTION = "checkpoint.json"
WEIGHTS = "model.safetensors"

Weights = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Description:
    """`checkpoint.json`."""

    forecast: Forecast | None
    """The terms of a forecaster."""
    data: DataOrigin
    seed: int
    metrics: dict[str, Any]
    versions: dict[str, str]
    sequences: Sequences | None = None
    """The terms of any other task."""
    weights_sha256: str = ""
    intervals: Intervals | None = None
    """None where no part of the data was left for them, and where nothing is forecast."""
    task: Task = "forecast"

    @property
    def terms(self) -> Forecast | Sequences:
        """The terms of the task, whichever it is."""
        return self.forecaster if self.task == "forecast" else self.sequence_terms

    @property
    def forecaster(self) -> Forecast:
        """The terms of a forecaster. Raises CheckpointError if the run is of another task."""
        if self.forecast is None:
            raise CheckpointError(
                f"the run was trained to {self.task} {self.data.name}: expected one that forecasts"
            )
        return self.forecast

    @property
    def sequence_terms(self) -> Sequences:
        """The terms of a model of sequences. Raises CheckpointError if the run forecasts."""
        if self.sequences is None:
            raise CheckpointError(
                f"the run forecasts {self.data.name}: expected one that answers sequences"
            )
        return self.sequences


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model: its terms and its weights, float32, by state_dict name."""

    description: Description
    weights: Weights


def is_run(path: Path) -> bool:
    """Whether `path` looks like a run folder."""
    return (path / DESCRIPTION).is_file()


def write_checkpoint(run: Path, description: Description, weights: Weights) -> None:
    """Writes both files into the existing folder `run`, the description last.

    Raises OutputError.
    """
    body = _safetensors().save({name: np.ascontiguousarray(w) for name, w in weights.items()})
    write_atomic(run / WEIGHTS, body)
    digest = hashlib.sha256(body).hexdigest()
    document = {"format_version": FORMAT_VERSION, **asdict(description), "weights_sha256": digest}
    if description.sequences is None:
        del document["sequences"]
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(run / DESCRIPTION, text + "\n")


def read_description(run: Path) -> Description:
    """`checkpoint.json` alone; needs NumPy only. Raises CheckpointError or NewerFormatError."""
    file = run / DESCRIPTION
    if not file.is_file():
        raise CheckpointError(
            f"{run} holds no finished training run: it has no {DESCRIPTION}. "
            "Train one with `lstm-export train`, or finish it with `--resume`"
        )
    try:
        body = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is not JSON: {error}") from None
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror or error}") from None
    body = checked_version(body, str(file))
    body.pop("format_version")
    description = decode(Description, body, str(file))
    expected = description.forecast if description.task == "forecast" else description.sequences
    if expected is None:
        raise CheckpointError(f"{file}: the task is {description.task}, but its terms are missing")
    if isinstance(expected, Sequences) and expected.task != description.task:
        raise CheckpointError(
            f"{file}: the task is {description.task}, but its terms are those to {expected.task}"
        )
    return description


def read_checkpoint(run: Path) -> Checkpoint:
    """The checkpoint at `run`. Raises CheckpointError if it is missing, damaged or changed."""
    description = read_description(run)
    return Checkpoint(description, _safetensors().load(checked_weights(run, description)))


def checked_weights(run: Path, description: Description) -> bytes:
    """The bytes of the weights. Raises CheckpointError if they are not those of `description`."""
    file = run / WEIGHTS
    try:
        body = file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror or error}") from None
    if hashlib.sha256(body).hexdigest() != description.weights_sha256:
        raise CheckpointError(f"{file} does not match {DESCRIPTION}: it was changed or is damaged")
    return body


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise MissingExtraError("safetensors", "train", "reading a checkpoint") from None
    return safetensors.numpy
