"""Lines in, an answer to each of them out: what `lstm-export stream` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.errors import DataError, InputError, OptionError
from lstm_export.runtime.streaming.line_answers import Answers, Labels
from lstm_export.runtime.streaming.line_terms import line_terms
from lstm_export.runtime.streaming.lines import (
    Columns,
    CsvLines,
    Format,
    JsonLines,
    Record,
    decoded,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstm_export.runtime.answer_model import AnswerModel
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.forecast_model import ForecastModel
    from lstm_export.runtime.graph_model import GraphModel

SERIES, ID = "series", "id"
FIRST_SLOTS = 16


class LineStreams:
    """The series in a stream of lines, each carried on from line to line.

    `form` None takes the format of the first line, `output` None the format that came. With
    `series` that column tells series apart: up to `max_series` of them, each in a slot of a pool
    that grows as they come. Memory is bounded by what `max_series` states take.
    """

    def __init__(
        self,
        model: ForecastModel | AnswerModel | GraphModel,
        *,
        form: Format | None = None,
        output: Format | None = None,
        series: str | None = None,
        max_series: int = 1,
    ) -> None:
        """Raises OptionError for options that make no sense, or a model that cannot stream."""
        if max_series < 1:
            raise OptionError(f"--max-series must be at least 1, got {max_series}")
        self._most = max_series if series is not None else 1
        self._terms = terms = line_terms(model, min(self._most, FIRST_SLOTS))
        if series is not None and series in terms.features:
            raise OptionError(f"--id {series}: this column is a feature of the model")
        self._form, self._output = form, output
        self._columns = Columns(terms.features, terms.time, series, terms.symbols)
        self._pool = terms.pool
        self._slots: dict[str, int] = {}
        self._way: tuple[CsvLines | JsonLines, Answers] | None = None
        self._due = ""

    def answer(self, line: bytes | None) -> str:
        """What is said to one line of input, with its line ends; nothing to a blank line.

        Raises DataError if the line cannot be used; then nothing has changed.
        """
        text = decoded(line)
        if not text:
            return ""
        if self._way is None:
            self._way = reader, answers = self._begin(text)
            self._due = answers.header
            if isinstance(reader, CsvLines):
                if reader.has_header:
                    return self._told()
                self._due = ""
        reader, answers = self._way
        record = reader.read(text)
        slot = self._slot(record)
        return self._told() + answers.line(record, self._terms.step(slot, record.values))

    @property
    def begun(self) -> bool:
        """Whether a first line has told what the others are like."""
        return self._way is not None

    def state(self) -> dict[str, Array]:
        """All that the series remember, as arrays for np.savez; `series` has their names."""
        names = np.array(list(self._slots), dtype=np.str_)
        column = np.array(self._columns.series or "", dtype=np.str_)
        return {**self._pool.snapshot([*self._slots.values()]), SERIES: names, ID: column}

    def restore(self, state: Mapping[str, object]) -> None:
        """Goes on from what `state` gave, or from np.load of it. Raises InputError."""
        try:
            rest = {name: np.asarray(state[name]) for name in state}
        except Exception as error:  # an npz file is only read here, and may be damaged in many ways
            raise InputError(f"it cannot be read: {error}") from None
        names, column = rest.pop(SERIES, None), rest.pop(ID, None)
        if names is None or column is None or names.ndim != 1 or column.ndim != 0:
            raise InputError("it was not saved by `lstm-export stream`")
        if str(column) != (self._columns.series or ""):
            told = [
                f"--id {value}" if value else "no --id" for value in (column, self._columns.series)
            ]
            raise InputError(f"it was saved with {told[0]}, and now there is {told[1]}")
        if len(names) > self._most:
            raise InputError(f"it has {len(names)} series, and --max-series is {self._most}")
        if len(names) > self._pool.capacity:
            self._pool.grow(len(names))
        slots = {str(name): self._pool.join() for name in names}
        try:
            self._pool.restore([*slots.values()], rest)
        except InputError:
            for slot in slots.values():
                self._pool.leave(slot)
            raise
        self._slots = slots

    def _begin(self, text: str) -> tuple[CsvLines | JsonLines, Answers]:
        """Takes the format and the columns from the first line."""
        form = self._form or ("ndjson" if text.lstrip()[0] in "{[" else "csv")
        time = self._columns.time
        reader: CsvLines | JsonLines
        if form == "ndjson":
            reader = JsonLines(self._columns)
        else:
            reader = CsvLines(self._columns, text)
            time = time if reader.has_time else None
        form, series = self._output or form, self._columns.series
        if self._terms.classes:
            return reader, Labels(self._terms, form, time, series)
        return reader, Answers(self._terms.answers, form, time, series)

    def _told(self) -> str:
        """The header, once, where there is one."""
        header, self._due = self._due, ""
        return header

    def _slot(self, record: Record) -> int:
        name = "" if self._columns.series is None else str(record.series)
        slot = self._slots.get(name)
        if slot is not None:
            return slot
        if len(self._slots) == self._most:
            raise DataError(
                f"column {self._columns.series!r}: {name!r} would be series number "
                f"{self._most + 1}, and --max-series is {self._most}"
            )
        if len(self._pool) == self._pool.capacity:
            self._pool.grow(min(2 * self._pool.capacity, self._most))
        slot = self._slots[name] = self._pool.join()
        return slot


def answer_lines(
    streams: LineStreams,
    lines: Iterable[tuple[int, bytes | None]],
    write: Callable[[str], None],
    skipped: Callable[[str], None] | None = None,
) -> None:
    """Answers numbered lines one by one, as soon as each is there.

    A line that cannot be used raises DataError naming it; with `skipped` it is told to that
    instead, and the series stay as they are. A header that does not fit always raises.
    """
    for number, line in lines:
        try:
            answer = streams.answer(line)
        except DataError as error:
            told = f"line {number}: {error}"
            if skipped is None or not streams.begun:
                raise DataError(told) from None
            skipped(told)
            continue
        if answer:
            write(answer)
