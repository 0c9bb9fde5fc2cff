"""Where timestamps stand on a plot's axis: numbers as numbers, dates as dates, else by row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from lstm_export.report.text import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["number", "date", "row"]


@dataclass(frozen=True, slots=True)
class TimeScale:
    """How one column of timestamps is laid out along x."""

    kind: Kind
    format: str | None = None

    def place(self, times: Sequence[str], rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """x of each timestamp; `rows` (len(times),), its rows, count where times are text."""
        if self.kind == "number":
            return np.array([float(time) for time in times])
        if self.kind == "date":
            from matplotlib.dates import date2num

            return np.array([date2num(_date(time, self.format)) for time in times])
        return rows.astype(np.float64)

    def label(
        self, axes: Axes, times: Sequence[str], rows: npt.NDArray[np.intp], ticks: int = 8
    ) -> None:
        """Puts about `ticks` readable ticks under `axes`, of what `place` was given."""
        if self.kind == "date":
            from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

            locator = AutoDateLocator(minticks=3, maxticks=ticks + 1)
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        elif self.kind == "number":
            from matplotlib.ticker import MaxNLocator

            axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True))
            axes.ticklabel_format(axis="x", style="plain", useOffset=False)
        elif len(times):
            picked = np.unique(
                np.linspace(0, len(times) - 1, min(max(2, ticks - 2), len(times))).astype(int)
            )
            axes.set_xticks([float(rows[i]) for i in picked], [short(times[i], 19) for i in picked])


def time_scale(times: Sequence[str], format: str | None = None) -> TimeScale:
    """The scale on which all of `times` can stand; `format` is a TimeAxis's, if known."""
    if format not in (None, "number") and all(_is_date(time, format) for time in times):
        return TimeScale("date", format)
    if all(_is_number(time) for time in times):
        return TimeScale("number")
    if all(_is_date(time, None) for time in times):
        return TimeScale("date")
    return TimeScale("row")


def _is_number(time: str) -> bool:
    try:
        return math.isfinite(float(time))
    except ValueError:
        return False


def _is_date(time: str, format: str | None) -> bool:
    try:
        _date(time, format)
    except ValueError:
        return False
    return True


def _date(time: str, format: str | None) -> datetime:
    parsed = datetime.strptime(time, format) if format else datetime.fromisoformat(time)
    # Offsets differ along a series with summer time; the clock on the wall is what is drawn.
    return parsed.replace(tzinfo=None)
