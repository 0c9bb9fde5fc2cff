"""The regular step of a series: found in its timestamps, and continued past their end."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import numpy as np
import numpy.typing as npt

from lstm_export.contract import TimeAxis
from lstm_export.data.numbers import BLANKS, is_number
from lstm_export.data.timestamps import DAY, NUMBER, TOKEN, Times, pattern_of
from lstm_export.errors import DataError

Unit = Literal["row", "microsecond", "second", "day", "business day", "month", "year"]

LONGEST_HOLIDAY = 4
"""Business days in a row that may be missing without being a gap: markets close."""

_SECOND = 1_000_000
_REGULAR = 0.5
"""The share of steps that must be equal for a series to have a step."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How the rows of a series follow each other."""

    axis: TimeAxis | None
    """None where no step occurs more often than all others together."""
    gaps: npt.NDArray[np.int64]
    """Rows before which at least one step is missing."""
    uneven: npt.NDArray[np.int64]
    """Rows that come neither one step nor a whole number of steps after the one before."""
    holidays: int
    """Runs of missing business days that are no gap."""


def find_steps(column: str, times: Times, begins: npt.NDArray[np.bool_]) -> Steps:
    """The step of `times`, which increase but for the rows where `begins` is True: there another
    series begins."""
    none = np.empty(0, dtype=np.int64)
    inner = np.flatnonzero(~begins[1:])
    if not len(inner):
        return Steps(None, none, none, 0)
    unit, positions = _positions(times, inner)
    steps = np.diff(positions)[inner]
    sizes, counts = np.unique(steps, return_counts=True)
    size = int(sizes[np.argmax(counts)])
    if counts.max() <= _REGULAR * len(steps) or size < 1 or size != sizes[np.argmax(counts)]:
        return Steps(None, none, none, 0)
    holiday = LONGEST_HOLIDAY if unit == "business day" and size == 1 else 0
    longest = max(1.5 * size, size + holiday + 0.5)
    gaps = steps >= longest
    uneven = (steps % size != 0) & ~gaps
    holidays = int(((steps > size) & ~gaps).sum()) if holiday else 0
    if unit == "month" and size % 12 == 0:
        unit, size = "year", size // 12
    axis = TimeAxis(column, unit, size, times.form)
    return Steps(axis, inner[gaps] + 1, inner[uneven] + 1, holidays)


def continue_times(axis: TimeAxis | None, last: str, count: int) -> list[str]:
    """The `count` timestamps after `last`, written as `last` is.

    The last day of a month is followed by last days; business days leave out Saturdays and
    Sundays. Without an axis row numbers go on, and where `last` is no number, +1, +2, … count the
    rows ahead. Raises DataError if `last` is not of the axis's form or the calendar ends.
    """
    text = last.strip(BLANKS)
    if axis is None:
        if not is_number(text):
            return [f"+{i}" for i in range(1, count + 1)]
        return _continue_numbers(text, 1, count)
    if axis.format == NUMBER:
        if not is_number(text):
            raise _not_of(axis, last)
        return _continue_numbers(text, axis.step, count)
    match = pattern_of(axis.format).fullmatch(text)
    if match is None:
        raise _not_of(axis, last)
    groups = match.groupdict()
    year, month, day, hour, minute, second = (
        int(groups.get(token, default))
        for token, default in zip("YmdHMS", (1, 1, 1, 0, 0, 0), strict=True)
    )
    fraction = groups.get("f", "")
    microsecond = int(fraction[:6].ljust(6, "0"))
    try:
        moment = datetime(year, month, day, hour, minute, second, microsecond)
        moments = [_advance(moment, axis, i, "d" in groups) for i in range(1, count + 1)]
    except (ValueError, OverflowError) as error:
        raise DataError(f"cannot continue the timestamps after {last!r}: {error}") from None
    return [_write(moment, axis.format, fraction, groups.get("z", "")) for moment in moments]


def _positions(
    times: Times, inner: npt.NDArray[np.int64]
) -> tuple[Unit, npt.NDArray[np.int64] | npt.NDArray[np.float64]]:
    """The coarsest unit that all rows stand on, and where each stands, counted in it."""
    if times.form == NUMBER:
        return "row", times.wall
    wall = times.wall.astype(np.int64, copy=False)
    days = wall // DAY
    if (wall - days * DAY != wall[0] - days[0] * DAY).any():
        instants = times.instants.astype(np.int64, copy=False)
        if (instants % _SECOND != instants[0] % _SECOND).any():
            return "microsecond", instants
        return "second", instants // _SECOND
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    day_of_month = dates - months.astype("datetime64[D]")
    one_day = (day_of_month == day_of_month[0]).all()
    last_days = ((dates + 1).astype("datetime64[M]") != months).all()
    steps = np.diff(days)[inner]
    if (one_day or last_days) and steps.min() >= 28:
        return "month", months.astype(np.int64)
    # 1970-01-01 was a Thursday; a Friday is followed by a Monday, three days later.
    if ((days + 3) % 7 < 5).all() and 2 * (steps == 1).sum() > len(steps) and (steps == 3).any():
        return "business day", np.busday_count(np.datetime64("1970-01-01"), dates)
    return "day", days


def _continue_numbers(last: str, step: int, count: int) -> list[str]:
    number = Decimal(last)
    return [format(number + step * i, "f") for i in range(1, count + 1)]


def _advance(moment: datetime, axis: TimeAxis, count: int, has_day: bool) -> datetime:
    steps = axis.step * count
    if axis.unit in ("month", "year"):
        return _add_months(moment, steps * (12 if axis.unit == "year" else 1), has_day)
    if axis.unit == "business day":
        day = np.busday_offset(np.datetime64(moment.date()), steps, roll="backward")
        return datetime.combine(day.astype(object), moment.time())
    microseconds = {"day": DAY, "second": _SECOND, "microsecond": 1}[axis.unit]
    return moment + timedelta(microseconds=microseconds * steps)


def _add_months(moment: datetime, months: int, has_day: bool) -> datetime:
    index = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(index, 12)
    if not has_day:
        return moment.replace(year=year, month=month + 1)
    at_end = moment.day == monthrange(moment.year, moment.month)[1]
    length = monthrange(year, month + 1)[1]
    return moment.replace(
        year=year, month=month + 1, day=length if at_end else min(moment.day, length)
    )


def _write(moment: datetime, form: str, fraction: str, zone: str) -> str:
    parts = {
        "%Y": f"{moment.year:04d}",
        "%m": f"{moment.month:02d}",
        "%d": f"{moment.day:02d}",
        "%H": f"{moment.hour:02d}",
        "%M": f"{moment.minute:02d}",
        "%S": f"{moment.second:02d}",
        "%f": f"{moment.microsecond:06d}{fraction[6:]}"[: max(len(fraction), 1)],
        "%z": zone,
    }
    return TOKEN.sub(lambda token: parts[token[0]], form)


def _not_of(axis: TimeAxis, last: str) -> DataError:
    return DataError(
        f"the last timestamp {last!r} in the column {axis.column!r} is not written as "
        f"{axis.format!r}, the form in the data that the model was trained on"
    )
