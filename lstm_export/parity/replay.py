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
from lstm_export.parity.rounding import KeptAnswers
from lstm_export.parity.trial import Tolerance, Trial

_ROLES = ("inputs", "reference", "torch")
_MOVED = "moved"
_THE_RULE = Tolerance()
_ABOUT = "about.json"


@dataclass(frozen=True, slots=True)
class SavedCase:
    """A trial, and all that it takes to judge it again as it was judged.

    That is the bundle that it was seen on, the runtime that it was the worst of, the run that the
    bundle was compared with and the tolerance; `seen` is what came of it, in a line.
    """

    trial: Trial
    bundle: str
    runtime: str
    against: str | None = None
    tolerance: Tolerance = _THE_RULE
    seen: str = ""


def save_case(path: Path, case: SavedCase) -> None:
    """Writes `case` to the npz file at `path`, whole or not at all; raises OutputError."""
    trial = case.trial
    about = {
        "bundle": case.bundle,
        "runtime": case.runtime,
        "against": case.against,
        "atol": case.tolerance.atol,
        "rtol": case.tolerance.rtol,
        "seen": case.seen,
        "graph": trial.graph,
        "check": trial.check,
        "case": trial.case,
        "chunks": list(trial.chunks),
        # A golden case that lacks torch's answers fails by that; one without torch does not.
        "torch": trial.torch is not None,
    }
    arrays: dict[str, Any] = {_ABOUT: np.array(json.dumps(about))}
    for role, tensors in zip(
        _ROLES, (trial.inputs, trial.reference, trial.torch or {}), strict=True
    ):
        arrays |= {f"{role}/{name}": np.asarray(value) for name, value in tensors.items()}
    # A case that is within its bound by torch's error on moved weights stays so.
    for index, answer in enumerate(trial.moved.answers(trial.inputs) if trial.moved else ()):
        arrays |= {f"{_MOVED}/{index}/{name}": value for name, value in answer.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomic(path, buffer.getvalue())


def load_case(path: Path) -> SavedCase:
    """The case in the file at `path`.

    Raises OptionError where there is no such file, BundleError for one that is no saved case.
    """
    expected = f"{path}: expected a case that verify --cases of this version kept"
    if path.is_file() and not zipfile.is_zipfile(path):
        raise BundleError(f"{expected}, got no npz file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            about = json.loads(str(archive[_ABOUT]))
            found: dict[str, dict[str, npt.NDArray[Any]]] = {role: {} for role in _ROLES}
            moved: dict[int, dict[str, npt.NDArray[Any]]] = {}
            for entry in archive.files:
                role, _, name = entry.partition("/")
                if role in found:
                    found[role][name] = archive[entry]
                elif role == _MOVED:
                    index, _, name = name.partition("/")
                    moved.setdefault(int(index), {})[name] = archive[entry]
            trial = Trial(
                about["check"],
                about["graph"],
                about["case"],
                found["inputs"],
                found["reference"],
                found["torch"] if about["torch"] else None,
                tuple(int(size) for size in about["chunks"]),
                KeptAnswers([moved[index] for index in sorted(moved)]) if moved else None,
            )
            tolerance = Tolerance(about["atol"], about["rtol"])
            origin = about["bundle"], about["runtime"], about["against"]
            return SavedCase(trial, *origin, tolerance, about["seen"])
    except FileNotFoundError:
        raise OptionError(f"{path}: there is no such file") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        told = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise BundleError(f"{expected}: {told}") from None
