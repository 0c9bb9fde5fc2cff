"""Which rows train, validate and test: chronological, in every series on its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lstm_export.data.series import Series
from lstm_export.errors import OptionError

TRAIN, VALIDATION, TEST = 0, 1, 2

Parts = npt.NDArray[np.int8]


def parts(series: Series, validation: float, test: float) -> Parts:
    """The part of every row, int8 (rows,): TRAIN, then VALIDATION, then TEST in each series.

    Of the n rows of a series the last round(test · n) test and the round(validation · n) before
    them validate. Raises OptionError unless both fractions are at least 0 and leave some rows.
    """
    check_fractions(validation, test)
    part = np.full(len(series.values), TRAIN, dtype=np.int8)
    for start, stop in series_bounds(series):
        rows = stop - start
        first_test = stop - round(test * rows)
        first_validation = max(start, first_test - round(validation * rows))
        part[first_validation:first_test] = VALIDATION
        part[first_test:stop] = TEST
    return part


def check_fractions(validation: float, test: float) -> None:
    """Raises OptionError unless both are at least 0 and leave something to train on."""
    for name, fraction in (("validation", validation), ("test", test)):
        if not 0 <= fraction < 1:
            raise OptionError(f"the {name} fraction must be at least 0 and below 1, got {fraction}")
    if validation + test >= 1:
        raise OptionError(
            f"validation {validation} and test {test} leave no rows to train on: "
            "their sum must be below 1"
        )


def series_bounds(series: Series) -> Iterator[tuple[int, int]]:
    """The first row of each series and the row after its last."""
    segments = series.segments
    start = 0
    for i, segment in enumerate(segments):
        if i + 1 == len(segments) or segments[i + 1].series != segment.series:
            yield start, segment.stop
            start = segment.stop
