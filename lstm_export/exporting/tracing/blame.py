"""Where in the user's own code something happened, and what stands there."""

from __future__ import annotations

import linecache
import os
import sysconfig
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

_MACHINERY = (
    str(Path(torch.__file__).resolve().parent) + os.sep,  # and not torchaudio beside it
    str(Path(np.__file__).resolve().parent) + os.sep,
    str(Path(__file__).resolve().parents[2]) + os.sep,
    "<frozen",
)
_STDLIB = sysconfig.get_paths()["stdlib"]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the user's code."""

    file: str
    line: int
    source: str

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}: {self.source}" if self.source else f"{self.file}:{self.line}"
        )


def is_users(file: str) -> bool:
    """Whether `file` holds somebody's model: it is not Python's, NumPy's, torch's or ours."""
    python = file.startswith(_STDLIB) and "site-packages" not in file
    return not python and not file.startswith(_MACHINERY)


def blame(error: BaseException) -> Place | None:
    """The innermost line of the user's code that `error` passed through, if any."""
    seen: BaseException | None = error
    while seen is not None:
        for frame in reversed(traceback.extract_tb(seen.__traceback__)):
            if is_users(frame.filename):
                return Place(frame.filename, frame.lineno or 0, _source(frame))
        seen = seen.__cause__ or seen.__context__
    return None


def here() -> Place | None:
    """The innermost line of the user's code that is running now, if any."""
    for frame in reversed(traceback.extract_stack()):
        if is_users(frame.filename):
            return Place(frame.filename, frame.lineno or 0, _source(frame))
    return None


def _source(frame: traceback.FrameSummary) -> str:
    line = frame.line or linecache.getline(frame.filename, frame.lineno or 0)
    return line.strip()


def first_line(error: BaseException) -> str:
    """What `error` says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
