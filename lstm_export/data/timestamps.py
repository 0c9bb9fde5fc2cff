"""Timestamps as they are written: which forms are known, and what instants they name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

from lstm_export.data.numbers import BLANKS, is_number
from lstm_export.data.rows import is_identity
from lstm_export.data.table import SEPARATOR, Column

NUMBER = "number"
"""The form of plain numbers; every other form is a strftime pattern."""

KNOWN = "YYYY, YYYY-MM, YYYY-MM-DD, YYYY/MM/DD, YYYYMMDD, YYYY-MM-DD hh:mm[:ss][Z], plain numbers"
"""The forms, as a message names them."""

DAY = 86_400_000_000
"""Microseconds."""

_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")
_CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f")
_FORMS = (
    "%Y",
    "%Y-%m",
    "%Y/%m",
    "%Y%m",
    *_DATES,
    *map("".join, product(_DATES, ("T", " "), _CLOCKS, ("", "Z", "%z"))),
)
_TOKENS = {
    "%Y": "(?P<Y>[0-9]{4})",
    "%m": "(?P<m>0[1-9]|1[0-2])",
    "%d": "(?P<d>0[1-9]|[12][0-9]|3[01])",
    "%H": "(?P<H>[01][0-9]|2[0-3])",
    "%M": "(?P<M>[0-5][0-9])",
    "%S": "(?P<S>[0-5][0-9])",
    "%f": "(?P<f>[0-9]{1,9})",
    "%z": "(?P<z>[+-][0-9]{2}:?[0-9]{2})",
}
TOKEN = re.compile("%[YmdHMSfz]")
_GROUP = re.compile("P<.>")
_ZONE = re.compile(r"([+-][0-9]{2}):?([0-9]{2})(?=\x00|\Z)")
_COMPACT_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?=[^0-9]|\Z)")
_COMPACT_MONTH = re.compile(r"([0-9]{4})([0-9]{2})(?=\x00|\Z)")
_AT_THE_EDGES = re.compile(r"(?:\A|\x00)[ \t]|[ \t](?:\x00|\Z)")
_DAY_AND_MONTH = re.compile(r"[0-9]{1,2}([/.-])[0-9]{1,2}\1(?:[0-9]{4}|[0-9]{2})(?:[T ].*)?")


@dataclass(frozen=True, slots=True)
class Times:
    """A column of timestamps: `form` and, per row, what the clock shows and the instant it means.

    `wall` and `instants` are int64 microseconds since 1970, without and with the offset from UTC;
    of plain numbers, both are the numbers, float64. `unreadable` lists rows of another form; their
    values mean nothing.
    """

    form: str
    wall: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    instants: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    unreadable: npt.NDArray[np.int64]

    def take(self, rows: npt.NDArray[np.int64]) -> Times:
        """The same, in the order of `rows`; for timestamps that are all readable."""
        if is_identity(rows):
            return self
        wall = self.wall[rows]
        instants = wall if self.instants is self.wall else self.instants[rows]
        return Times(self.form, wall, instants, self.unreadable)


def forms_of(cell: str) -> list[str]:
    """The forms that `cell` may have, the likeliest first: 20140401 is a day, or else a number."""
    text = cell.strip(BLANKS)
    forms = [form for form in _FORMS if pattern_of(form).fullmatch(text)]
    return [*forms, NUMBER] if is_number(text) else forms


def hides_day_and_month(cell: str) -> bool:
    """Whether `cell` is a date like 03/04/2014, which may be in March or in April."""
    return _DAY_AND_MONTH.fullmatch(cell.strip(BLANKS)) is not None


@cache
def pattern_of(form: str) -> re.Pattern[str]:
    """`form`, a strftime pattern, as a regular expression with one named group per token."""
    return re.compile(TOKEN.sub(lambda token: _TOKENS[token[0]], form.replace(".", r"\.")))


def parse_times(column: Column, form: str) -> Times:
    """All cells of `column`, read as `form`."""
    if form == NUMBER:
        numbers = column.numbers()
        unreadable = np.flatnonzero(~np.isfinite(numbers.values))
        return Times(form, numbers.values, numbers.values, unreadable)
    wall = np.empty(len(column), dtype=np.int64)
    offset = np.zeros(len(column), dtype=np.int64) if "%z" in form else None
    unreadable_rows: list[int] = []
    start = 0
    for block in column.blocks():
        if _AT_THE_EDGES.search(block):
            block = SEPARATOR.join(cell.strip(BLANKS) for cell in block.split(SEPARATOR))
        rows = slice(start, start + block.count(SEPARATOR) + 1)
        walls = _parse_block(block, form)
        if walls is None:
            cells = block.split(SEPARATOR)
            good = [i for i, cell in enumerate(cells) if _parse_block(cell, form) is not None]
            bad = set(range(len(cells))).difference(good)
            unreadable_rows += [start + i for i in sorted(bad)]
            filler = cells[good[0]] if good else "1970"
            cells = [filler if i in bad else cell for i, cell in enumerate(cells)]
            block = SEPARATOR.join(cells)
            walls = _parse_block(block, form) if good else None
        wall[rows] = 0 if walls is None else walls
        if offset is not None:
            offset[rows] = _offsets(block) if walls is not None else 0
        start = rows.stop
    instants = wall if offset is None else wall - offset
    return Times(form, wall, instants, np.array(unreadable_rows, dtype=np.int64))


@cache
def _block_pattern(form: str) -> re.Pattern[str]:
    one = _GROUP.sub(":", pattern_of(form).pattern)
    return re.compile(rf"(?:{one}\x00)*+{one}")


def _parse_block(block: str, form: str) -> npt.NDArray[np.int64] | None:
    """What the clock shows in each cell of `block`, microseconds; None if any is unreadable."""
    if not _block_pattern(form).fullmatch(block):
        return None
    # NumPy reads ISO 8601 without an offset; what passed the pattern is one step away from that.
    iso = _ZONE.sub("", block) if "%z" in form else block.replace("Z", "")
    if "%Y%m%d" in form:
        iso = _COMPACT_DAY.sub(r"\1-\2-\3", iso)
    elif "%Y%m" in form:
        iso = _COMPACT_MONTH.sub(r"\1-\2", iso)
    try:
        stamps = np.array(iso.replace("/", "-").split(SEPARATOR), dtype="datetime64[us]")
    except ValueError:  # 30 February
        return None
    return stamps.astype(np.int64)


def _offsets(block: str) -> npt.NDArray[np.int64]:
    """The offsets from UTC in a block of cells that end with one, microseconds."""
    zones = _ZONE.findall(block)
    known = {zone: offset_of("".join(zone)) for zone in set(zones)}
    return np.array([known[zone] for zone in zones], dtype=np.int64)


def offset_of(zone: str) -> int:
    """+0130 or +01:30 as microseconds."""
    digits = zone.replace(":", "")
    size = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5])) // timedelta(microseconds=1)
    return -size if zone.startswith("-") else size
