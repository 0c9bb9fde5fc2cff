"""One case in a file: its inputs, the answers that judge it, and which graph they are for."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.errors import BundleError, OptionError
from lstm_export.files import write_atomic
from lstm_export.parity.trial import Trial

_ROLES = ("inputs", "reference", "torch")
_ABOUT = "about.json"


@dataclass(frozen=True, slots=True)
class SavedCase:
    """A trial, the bundle that it was seen on, and the runtime that it was the worst of."""

    trial: Trial
    bundle: str
    runtime: str


def save_case(path: Path, case: SavedCase) -> None:
    """Writes `case` to the npz file at `path`, whole or not at all; raises OutputError."""
    trial = case.trial
    about = {
        "bundle": case.bundle,
        "runtime": case.runtime,
        "graph": trial.graph,
        "check": trial.check,
        "case": trial.case,
        "chunks": list(trial.chunks),
    }
    arrays: dict[str, Any] = {_ABOUT: np.array(json.dumps(about))}
    for role, tensors in zip(
        _ROLES, (trial.inputs, trial.reference, trial.torch or {}), strict=True
    ):
        arrays |= {f"{role}/{name}": np.asarray(value) for name, value in tensors.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomic(path, buffer.getvalue())


def load_case(path: Path) -> SavedCase:
    """The case in the file at `path`.

    Raises OptionError where there is no such file, BundleError for one that is no saved case.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            about = json.loads(str(archive[_ABOUT]))
            found: dict[str, dict[str, npt.NDArray[Any]]] = {role: {} for role in _ROLES}
            for entry in archive.files:
                role, _, name = entry.partition("/")
                if role in found:
                    found[role][name] = archive[entry]
            trial = Trial(
                about["check"],
                about["graph"],
                about["case"],
                found["inputs"],
                found["reference"],
                found["torch"] or None,
                tuple(int(size) for size in about["chunks"]),
            )
            return SavedCase(trial, about["bundle"], about["runtime"])
    except FileNotFoundError:
        raise OptionError(f"{path}: there is no such file") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is no case of a verification: {error}") from None
