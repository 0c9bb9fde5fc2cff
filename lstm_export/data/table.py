"""A table as it was read: named columns of text cells or of numbers, nothing interpreted yet."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Protocol, overload

import numpy as np
import numpy.typing as npt

from lstm_export.data.numbers import Numbers, parse_numbers, spell

SEPARATOR = "\0"
"""Between the cells of a packed block; a text file that holds it is refused as binary."""


class Column(Protocol):
    """One column: its cells as text, in blocks or one by one, and its cells as numbers."""

    def __len__(self) -> int: ...

    def cell(self, row: int) -> str:
        """The cell as it is written in the file."""

    def blocks(self) -> Iterator[str]:
        """The cells in order, each block joined by `SEPARATOR`."""

    def numbers(self) -> Numbers:
        """The cells as float64 (rows,): NaN where a cell is missing or no number."""


class TextColumn:
    """Cells as text, packed into blocks: millions of them cost little more than the file."""

    def __init__(self, blocks: Iterable[str], counts: Iterable[int]) -> None:
        self._blocks = [block.encode() for block in blocks]
        self._starts: list[int] = [0, *accumulate(counts)]
        self._unpacked: tuple[int, list[str]] = (-1, [])

    def __len__(self) -> int:
        return self._starts[-1]

    def cell(self, row: int) -> str:
        block = bisect_right(self._starts, row) - 1
        if self._unpacked[0] != block:
            self._unpacked = (block, self._blocks[block].decode().split(SEPARATOR))
        return self._unpacked[1][row - self._starts[block]]

    def blocks(self) -> Iterator[str]:
        return (block.decode() for block in self._blocks)

    def numbers(self) -> Numbers:
        return parse_numbers(self.blocks(), len(self), SEPARATOR)


class NumberColumn:
    """Cells that are numbers already, as a Parquet file has them; NaN where one is missing."""

    def __init__(self, values: npt.NDArray[np.float64], *, integers: bool) -> None:
        self._values, self._integers = values, integers

    def __len__(self) -> int:
        return len(self._values)

    def cell(self, row: int) -> str:
        return spell(float(self._values[row]), integers=self._integers)

    def blocks(self) -> Iterator[str]:
        for start in range(0, len(self), 1 << 16):
            part = self._values[start : start + (1 << 16)].tolist()
            yield SEPARATOR.join(spell(value, integers=self._integers) for value in part)

    def numbers(self) -> Numbers:
        return Numbers(self._values, np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class Table:
    """What a file holds. Columns keep the file's order and have `rows` cells each."""

    name: str
    columns: Mapping[str, Column]
    rows: int
    sha256: str
    """Of the file's bytes; of an embedded set, of its CSV."""
    lines: Sequence[int] | None
    """The line of the file on which each row begins; None where a file has no lines."""

    def place(self, row: int) -> str:
        """Where a person finds `row` in the file."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"

    @cached_property
    def numeric(self) -> tuple[str, ...]:
        """Columns whose every cell is a number or missing, and that hold at least one number."""
        return tuple(name for name, column in self.columns.items() if _is_numeric(column))


class RowNumbers(Sequence[str]):
    """Rows of a table without a time column, counted from 1; made one by one when asked for."""

    def __init__(self, rows: npt.NDArray[np.int64]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._written(row) for row in self._rows[index].tolist()]
        return self._written(int(self._rows[index]))

    def _written(self, row: int) -> str:
        return str(row + 1)


class Timestamps(RowNumbers):
    """The same rows by the cells of their time column, as written."""

    def __init__(self, column: Column, rows: npt.NDArray[np.int64]) -> None:
        super().__init__(rows)
        self._column = column

    def _written(self, row: int) -> str:
        return self._column.cell(row)


def _is_numeric(column: Column) -> bool:
    if isinstance(column, TextColumn):
        # Most text columns give themselves away in their first block.
        first = next(column.blocks(), "")
        if len(parse_numbers(iter([first]), first.count(SEPARATOR) + 1, SEPARATOR).unreadable):
            return False
    numbers = column.numbers()
    return not len(numbers.unreadable) and not bool(np.isnan(numbers.values).all())
