"""A CSV file as one array (rows, columns), with or without a row of names."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np

from lstm_export.errors import InputError
from lstm_export.importing.expect.expected import Float
from lstm_export.importing.expect.stored import Stored, check_finite

_NUMBER = re.compile(r"[+-]?(?P<whole>\d*)(?:\.(?P<part>\d*))?(?:[eE](?P<power>[+-]?\d{1,4}))?")
_DELIMITERS = (",", ";", "\t", " ")
_FEWEST = 3
_EXACT = 15  # digits that a float64 keeps of what is printed


def read_csv(path: Path, body: bytes) -> Stored:
    """The numbers in `body`, (rows, columns); whole numbers alone are int64.

    Cells are separated by commas, semicolons, tabs or spaces, whichever the first row has. A first
    row that is no numbers is one of names. Raises InputError for text that is not UTF-8, rows of
    different lengths and cells that are not finite numbers, with their row and column.
    """
    rows = _rows(path, body)
    notes = []
    if _is_header(rows):
        notes.append(f"{path}: its first row was taken as names ({', '.join(rows[0][1])[:60]})")
        rows = rows[1:]
    if not rows:
        raise InputError(f"{path} is empty: expected rows of numbers")
    width = len(rows[0][1])
    values = np.empty((len(rows), width))
    digits = np.zeros((3, len(rows), width), dtype=np.int64)
    whole = True
    for index, (line, cells) in enumerate(rows):
        if len(cells) != width:
            raise InputError(
                f"{path}, row {line}: expected {width} cells as in row {rows[0][0]}, "
                f"got {len(cells)}"
            )
        for column, cell in enumerate(cells):
            number = _number(cell)
            if number is None:
                raise InputError(
                    f"{path}, row {line}, column {column + 1}: expected a number, got {cell!r}"
                )
            values[index, column] = number
            digits[:, index, column] = _digits(cell)
            whole = whole and cell.lstrip("+-").isdigit()
    check_finite(values, str(path))
    exact = whole and np.abs(values).max() < 2.0**53
    return Stored(values.astype(np.int64) if exact else values, _rounding(digits), tuple(notes))


def _rows(path: Path, body: bytes) -> list[tuple[int, list[str]]]:
    """Rows that are not empty, with the number of each, from 1."""
    try:
        text = body.decode("utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"{path} is no text: expected a CSV, .npy or .npz file")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = next((sign for sign in _DELIMITERS if sign in first.strip()), ",")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=delimiter == " "
    )
    try:
        found = [(number, row) for number, row in enumerate(reader, start=1)]
    except csv.Error as error:
        raise InputError(f"{path}: expected a CSV: {error}") from None
    rows = [(number, [cell.strip() for cell in row]) for number, row in found]
    return [(number, row) for number, row in rows if any(row)]


def _is_header(rows: list[tuple[int, list[str]]]) -> bool:
    """Names are no numbers; a data frame without any is written with 0, 1, 2, … as names."""
    if not rows:
        return False
    first = rows[0][1]
    if any(_number(cell) is None for cell in first):
        return not any(cell.casefold() in ("nan", "inf", "-inf") for cell in first)
    counted = first == [str(i) for i in range(len(first))]
    below = [cell for _, row in rows[1:] for cell in row]
    return counted and bool(below) and not any(cell.lstrip("+-").isdigit() for cell in below)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _digits(cell: str) -> tuple[int, int, int]:
    """Digits after the point, digits that count, and the power of ten of the first of those."""
    match = _NUMBER.fullmatch(cell)
    if match is None:
        return (_EXACT, _EXACT, 0)
    part, power = match["part"] or "", int(match["power"] or 0)
    counting = (match["whole"] + part).lstrip("0")
    decimals = len(part) - power
    return (decimals, len(counting), len(counting) - 1 - decimals if counting else -_EXACT)


def _rounding(digits: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Float:
    """Half of the last printed digit of every cell.

    A program prints a fixed number of decimals or of digits, and may leave out zeros at the end:
    the most in a column are what was kept, and of the two readings the coarser one holds. Whole
    numbers are taken as exact, and fewer than three digits as decimals: they would hide anything.
    """
    decimals, counting, first = digits
    by_decimals = np.broadcast_to(-decimals.max(axis=0), first.shape)
    kept = counting.max(axis=0)
    by_digits = np.where(kept >= _FEWEST, first - kept + 1, by_decimals)
    last = np.maximum(by_decimals, by_digits).clip(-300, 300)
    return np.where((decimals == 0).all(axis=0), 0.0, 0.5 * 10.0**last)
