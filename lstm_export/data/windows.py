"""Windows as positions in a series, never as copies of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Window
from lstm_export.data.series import Series
from lstm_export.data.split import TEST, TRAIN, VALIDATION, Parts
from lstm_export.errors import DataError

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WindowStarts:
    """The first raw row of every window of each part, ascending, int64."""

    train: Rows
    validation: Rows
    test: Rows


def window_starts(series: Series, parts: Parts, window: Window) -> WindowStarts:
    """Where the windows of each part start.

    The window at s takes the raw rows [s, s + history) and predicts [s + history,
    s + history + horizon), all in one segment. It belongs to the part that all its target rows
    belong to, and to none where they belong to two; what it sees may reach back into an earlier
    part. Raises DataError if a part that trains or tests has no window, or if the part that
    validates has rows but no window.
    """
    length = window.history + window.horizon
    pieces = [
        np.arange(segment.start, segment.stop - length + 1, dtype=np.int64)
        for segment in series.segments
    ]
    starts = np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)
    # Parts ascend within a segment: where the first and the last target row agree, all do.
    first = parts[starts + window.history]
    last = parts[starts + length - 1]
    found = {part: starts[(first == part) & (last == part)] for part in (TRAIN, VALIDATION, TEST)}
    needed = (TRAIN, VALIDATION, TEST) if (parts == VALIDATION).any() else (TRAIN, TEST)
    lacking = [part for part in needed if not len(found[part])]
    if lacking:
        raise DataError(_too_few(series, parts, window, lacking))
    return WindowStarts(found[TRAIN], found[VALIDATION], found[TEST])


def window_targets(series: Series, starts: Rows, window: Window) -> npt.NDArray[np.float64]:
    """What came true in each window: (windows, horizon, targets), raw units."""
    rows = starts[:, np.newaxis] + window.history + np.arange(window.horizon)
    return np.asarray(series.target_values[rows])


def _too_few(series: Series, parts: Parts, window: Window, lacking: list[int]) -> str:
    names = {TRAIN: "training", VALIDATION: "validation", TEST: "test"}
    counts = ", ".join(f"{np.sum(parts == part)} {name}" for part, name in names.items())
    longest = max((segment.stop - segment.start for segment in series.segments), default=0)
    pieces = len(series.segments)
    unbroken = f", the longest unbroken stretch of {pieces} has {longest}" if pieces > 1 else ""
    lag = f" + {window.difference} for differencing" if window.difference else ""
    return (
        f"no window fits into the {' or '.join(names[part] for part in lacking)} part: a window "
        f"needs {window.history + window.horizon} rows ({window.context_length} of context{lag} "
        f"+ {window.horizon} of horizon, the last {window.horizon} of them in the part itself); "
        f"there are {len(series.values)} rows ({counts}){unbroken}. "
        "Use more rows, a shorter context or horizon, or other fractions for the parts"
    )
