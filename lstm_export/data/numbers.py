"""Text cells as numbers: which spellings count, and where they fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""Spellings of a missing value, in lower case."""

BLANKS = " \t"
"""What may stand around a number."""

_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity)", re.IGNORECASE
)
# Python's float() takes more than this grammar (1_000, other scripts' digits), never with these
# characters alone.
_OTHER = re.compile(r"[^0-9eE.+\-\x00]")


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column's values, float64 (rows,), NaN where a cell is missing or unreadable."""

    values: npt.NDArray[np.float64]
    unreadable: npt.NDArray[np.int64]
    """Rows whose cells are neither a number nor missing."""


def is_number(cell: str) -> bool:
    """Whether `cell` is a number: 1, +1, .5, 1e5, inf; not 1,000, 1_000 or a missing value."""
    return _NUMBER.fullmatch(cell.strip(BLANKS)) is not None


def is_missing(cell: str) -> bool:
    """Whether `cell` spells a missing value."""
    return cell.strip(BLANKS).lower() in MISSING


def parse_numbers(blocks: Iterator[str], rows: int, separator: str) -> Numbers:
    """The numbers of `rows` cells that come in blocks, joined by `separator`."""
    values = np.empty(rows)
    unreadable: list[int] = []
    start = 0
    for block in blocks:
        cells = block.split(separator)
        plain = None if _OTHER.search(block) else _plain_numbers(cells)
        if plain is None:
            part = [_number(cell) for cell in cells]
            unreadable += [start + i for i, value in enumerate(part) if value is None]
            plain = [np.nan if value is None else value for value in part]
        values[start : start + len(cells)] = plain
        start += len(cells)
    return Numbers(values, np.array(unreadable, dtype=np.int64))


def spell(value: float, *, integers: bool) -> str:
    """`value` as a cell that reads back as the same number; empty where it is missing."""
    if value != value:
        return ""
    return str(int(value)) if integers else repr(value)


def _plain_numbers(cells: list[str]) -> list[float] | None:
    try:
        return list(map(float, cells))
    except ValueError:
        return None


def _number(cell: str) -> float | None:
    text = cell.strip(BLANKS)
    if text.lower() in MISSING:
        return float("nan")
    return float(text) if _NUMBER.fullmatch(text) else None
