"""The folder of a run: what may be written there, and what stands there already."""

from __future__ import annotations

import contextlib
import enum
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lstm_export.checkpoint import DESCRIPTION, WEIGHTS
from lstm_export.errors import OptionError, OutputError
from lstm_export.files import write_atomic
from lstm_export.training.schedule import EpochRecord
from lstm_export.training.state import STATE

OPTIONS, METRICS, PREDICTIONS, REPORT = (
    "run.toml",
    "metrics.jsonl",
    "predictions.csv",
    "report.html",
)
# The description comes first: without it a folder does not look finished.
_FILES = (DESCRIPTION, WEIGHTS, STATE, OPTIONS, METRICS, PREDICTIONS, REPORT)


REPLACED = ".replaced"
"""Where the files of a finished run wait, inside its folder, until the run that replaces it is
finished too."""


class Standing(enum.Enum):
    """What a folder is before training."""

    NEW = "new"
    STARTED = "started"
    FINISHED = "finished"


def standing(run: Path, *, resume: bool, force: bool) -> Standing:
    """What `run` is. Raises OptionError or OutputError if training must not write there."""
    if resume and force:
        raise OptionError("--resume goes on with a run and --force replaces it: give one of them")
    if not os.path.lexists(run):
        return Standing.NEW
    if not run.is_dir():
        raise OutputError(f"{run} is a file, expected a folder for the run: choose another --out")
    try:
        names = [path.name for path in run.iterdir()]
    except OSError as error:
        raise OutputError(f"cannot read {run}: {error.strerror or error}") from None
    if not names:
        return Standing.NEW
    if not any(_is_ours(name) for name in names):
        raise OutputError(
            f"{run} holds files that are not of a training run ({sorted(names)[0]}): "
            "choose another --out"
        )
    found = Standing.FINISHED if DESCRIPTION in names else Standing.STARTED
    if not (resume or force):
        raise OutputError(
            f"{run} holds a run that is {'finished' if found is Standing.FINISHED else 'not done'}"
            ": go on with --resume, train anew with --force, or choose another --out"
        )
    return found


def begin(run: Path, options: str) -> None:
    """Makes `run` a run folder that knows its options and nothing more. Raises OutputError.

    The files of a finished run are set aside; `settle` drops them and `restore` brings them back.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        if (run / DESCRIPTION).exists():
            settle(run)
            (run / REPLACED).mkdir()
            for name in reversed(_FILES):
                if (run / name).exists():
                    (run / name).replace(run / REPLACED / name)
        _clear(run)
    except OSError as error:
        raise OutputError(f"cannot write into {run}: {error.strerror or error}") from None
    write_atomic(run / OPTIONS, options)


def settle(run: Path) -> None:
    """Drops the run that was replaced, if there was one."""
    shutil.rmtree(run / REPLACED, ignore_errors=True)


def restore(run: Path) -> bool:
    """Puts a replaced run back in the place of the one that failed; whether there was one."""
    if not (run / REPLACED).is_dir():
        return False
    _clear(run)
    for name in reversed(_FILES):  # the description last: until then nothing looks finished
        if (run / REPLACED / name).exists():
            (run / REPLACED / name).replace(run / name)
    settle(run)
    return True


def _clear(run: Path) -> None:
    for name in _FILES:
        (run / name).unlink(missing_ok=True)
    clear_leftovers(run)


def clear_leftovers(run: Path) -> None:
    """Removes the temporary files of a writer that was killed."""
    for path in run.iterdir():
        if path.name not in (*_FILES, REPLACED) and _is_ours(path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def write_metrics(run: Path, history: Sequence[EpochRecord]) -> None:
    """metrics.jsonl with exactly the epochs of `history`. Raises OutputError."""
    write_atomic(run / METRICS, "".join(_line(record) for record in history))


def append_metrics(run: Path, record: EpochRecord) -> None:
    """One more line of metrics.jsonl. Raises OutputError."""
    try:
        with (run / METRICS).open("a", encoding="utf-8") as stream:
            stream.write(_line(record))
    except OSError as error:
        raise OutputError(
            f"cannot write {run / METRICS}: {error.strerror or error}; make room and go on with "
            "--resume"
        ) from None


def _line(record: EpochRecord) -> str:
    return json.dumps(asdict(record)) + "\n"


def _is_ours(name: str) -> bool:
    return name in (*_FILES, REPLACED) or any(name.startswith(f".{known}.") for known in _FILES)
