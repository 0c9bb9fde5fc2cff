"""A forecaster's data: the windows of a table, read as `predict` reads it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Forecast
from lstm_export.data.load import load_table
from lstm_export.data.series import Segment, Series, read_series
from lstm_export.errors import DataError, OptionError
from lstm_export.explain.inputs.choice import Choice
from lstm_export.explain.source import Source
from lstm_export.explain.subject import Subject, others


def forecast_subject(source: Source, data: str, choice: Choice) -> Subject:
    """The last window of a series, or the one chosen, and windows from all over the table.

    With `rows` the chosen series has so many rows in place of a window's. Raises DataError as
    reading a table does, OptionError for a series, a window or rows that are not there.
    """
    terms = source.contract.forecast
    assert terms is not None
    series = read_series(
        load_table(data),
        targets=[column.name for column in terms.targets],
        features=[column.name for column in terms.features],
        time=terms.time.column if terms.time else None,
        series_id=choice.series_id,
        missing=choice.missing,
        role="predict",
    )
    notes = list(series.notes)
    first, stop, name = _chosen(series, terms, choice, notes)
    chosen = series.values[first:stop]
    rest = _rest(series, terms, (first, stop))
    batches = [{"x": chosen[np.newaxis].astype(np.float32)}]
    if len(rest):
        batches.append({"x": rest.astype(np.float32)})
    return Subject(
        name=name or data,
        batches=tuple(batches),
        sequences=1 + len(rest),
        features=tuple(column.name for column in terms.features),
        values=chosen,
        times=[series.timestamps[row] for row in range(first, stop)],
        time_format=terms.time.format if terms.time else None,
        targets=tuple(
            column.name if terms.window.horizon == 1 else f"{column.name} +{step + 1}"
            for step in range(terms.window.horizon)
            for column in terms.targets
        ),
        notes=tuple(notes),
    )


def _chosen(
    series: Series, terms: Forecast, choice: Choice, notes: list[str]
) -> tuple[int, int, str]:
    """The rows [first, stop) of the chosen series, and its name."""
    segments = _segments(series, choice)
    history, shortest = terms.window.history, terms.window.shortest
    if choice.index is not None:
        if choice.rows is not None:
            raise OptionError("--index takes one of the windows, --rows the last rows: give one")
        starts = [
            row for s in segments for row in range(s.start, s.stop - history + 1)
        ]  # of every full window
        if not -len(starts) <= choice.index < len(starts):
            raise OptionError(
                f"--index {choice.index}: there are {len(starts)} windows of {history} rows, "
                "counted from 0"
            )
        first = starts[choice.index]
        name = next(s.series for s in segments if s.start <= first < s.stop)
        return first, first + history, name
    last = segments[-1]
    wanted = history if choice.rows is None else choice.rows
    if wanted < shortest:
        raise OptionError(f"--rows: the model takes at least {shortest} rows, got {wanted}")
    rows = min(wanted, last.stop - last.start)
    if rows < shortest:
        raise DataError(f"the series ends in {rows} unbroken rows; the model needs {shortest}")
    if rows < wanted:
        notes.append(f"the series ends in {rows} unbroken rows, {wanted} were wanted")
    return last.stop - rows, last.stop, last.series


def _segments(series: Series, choice: Choice) -> list[Segment]:
    if choice.series is None:
        found = list(series.segments)
    else:
        found = [segment for segment in series.segments if segment.series == choice.series]
        names = list(dict.fromkeys(segment.series for segment in series.segments))
        if not found and names == [""]:
            raise OptionError("--series names one of several series: tell them by --series-id")
        if not found:
            some = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
            raise OptionError(f"--series {choice.series!r} is not in the table; it has {some}")
    if not found:
        raise DataError("the table has no rows to explain")
    return found


def _rest(series: Series, terms: Forecast, taken: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Windows (count, history, features), evenly spread over all series, without the chosen."""
    history = terms.window.history
    starts = [np.arange(s.start, s.stop - history + 1) for s in series.segments]
    every = np.concatenate(starts) if starts else np.empty(0, np.int64)
    every = every[every != taken[0]] if taken[1] - taken[0] == history else every
    count = others(max(history, taken[1] - taken[0]), len(every))
    chosen = every[np.linspace(0, len(every) - 1, count).astype(np.int64)] if count else every[:0]
    windows: npt.NDArray[np.float64] = series.values[chosen[:, np.newaxis] + np.arange(history)]
    return windows
