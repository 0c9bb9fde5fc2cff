"""training_state.safetensors: all that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lstm_export.decode import decode
from lstm_export.errors import CheckpointError, ContractError
from lstm_export.files import write_atomic
from lstm_export.training.schedule import EpochRecord

STATE = "training_state.safetensors"
_KEY = "lstm_export_training"


@dataclass(frozen=True)
class Circumstances:
    """What must be the same when a run goes on, beside its options."""

    data_sha256: str
    windows: int
    torch: str
    shards: int


@dataclass(frozen=True)
class Position:
    """How far a run has come."""

    circumstances: Circumstances
    history: tuple[EpochRecord, ...] = ()
    step: int = 0
    """Optimiser steps done in the epoch after `history`."""
    steps: int = 0
    """Optimiser steps done in all."""


@dataclass(frozen=True)
class TrainingState:
    """A position and the tensors that belong to it: vectors of all weights, flat."""

    position: Position
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    def write(self, run: Path) -> None:
        """Writes the state into `run`, whole or not at all. Raises OutputError."""
        from safetensors.torch import save

        text = json.dumps(asdict(self.position), ensure_ascii=False)
        write_atomic(run / STATE, save(dict(self.tensors), metadata={_KEY: text}))


def read_state(run: Path) -> TrainingState | None:
    """The state in `run`; None if none was saved yet. Raises CheckpointError if it is damaged."""
    from safetensors import SafetensorError, safe_open

    file = run / STATE
    if not file.exists():
        return None
    try:
        with safe_open(file, framework="pt") as opened:
            body: Any = json.loads(opened.metadata()[_KEY])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        return TrainingState(decode(Position, body, str(file)), tensors)
    except (SafetensorError, ContractError, OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{file} is damaged ({error}): train anew with --force, or into another folder"
        ) from None


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The state of torch's generators."""
    states = {"random": torch.get_rng_state()}
    if device.type == "cuda":
        states["random_cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_state(tensors: Mapping[str, Tensor], device: torch.device) -> None:
    """The reverse of `random_state`."""
    torch.set_rng_state(tensors["random"])
    if device.type == "cuda" and "random_cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random_cuda"], device)
