"""Which part of the data is explained."""

from __future__ import annotations

from dataclasses import dataclass

from lstm_export.data.missing import Missing


@dataclass(frozen=True, slots=True)
class Choice:
    """Which series of the data, and how much of it. Absent ones are left to the task."""

    series: str | None = None
    """The name of a series."""
    index: int | None = None
    """Its place among the sequences or windows, from 0; from the end where negative."""
    rows: int | None = None
    """Its last so many rows."""
    series_id: str | None = None
    """The column that tells series apart."""
    text: str | None = None
    """The column of texts."""
    missing: Missing = "error"
