"""Answers as lines of text: CSV, or one JSON object a line."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lstm_export.runtime.streaming.lines import Format, Record

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.streaming.line_terms import LineTerms


class Answers:
    """What a line is answered with: its time and series, if it has them, and the model's output.

    `names` are those of the output's values; one that is taken gets an underscore. Where there is
    nothing to say yet the values are empty, or null.
    """

    __slots__ = ("_json", "_names", "_series", "_time")

    def __init__(
        self, names: Sequence[str], form: Format, time: str | None, series: str | None
    ) -> None:
        self._json = form == "ndjson"
        self._time, self._series = time, series
        taken = [name for name in (time, series) if name is not None]
        lead = len(taken)
        for name in names:
            free = name
            while free in taken:
                free += "_"
            taken.append(free)
        self._names = taken[lead:]

    @property
    def header(self) -> str:
        """The line that names the columns; empty for JSON."""
        lead = [name for name in (self._time, self._series) if name is not None]
        return "" if self._json else _csv_line([*lead, *self._names])

    def line(self, record: Record, output: Array) -> str:
        """The answer to one record; `output` has a value for each of the names."""
        values = self._values(output)
        if self._json:
            body: dict[str, object] = {}
            if self._time is not None and record.time is not None:
                body[self._time] = record.time
            if self._series is not None:
                body[self._series] = record.series
            body.update(zip(self._names, values, strict=True))
            return json.dumps(body, ensure_ascii=False) + "\n"
        lead = [record.time] if self._time is not None else []
        lead += [record.series] if self._series is not None else []
        return _csv_line([*lead, *values])

    def _values(self, output: Array) -> list[object]:
        """A value for each of the names."""
        return [_shortest(value) for value in output]


class Labels(Answers):
    """What a line is answered with by a model of labels: the likeliest, and the probability of
    each. JSON has them as "label", and by class as "probabilities"."""

    __slots__ = ("_classes",)

    def __init__(
        self, terms: LineTerms, form: Format, time: str | None, series: str | None
    ) -> None:
        names = ["label", "probabilities"] if form == "ndjson" else [terms.label, *terms.answers]
        super().__init__(names, form, time, series)
        self._classes = terms.classes

    def _values(self, output: Array) -> list[object]:
        label = self._classes[int(output.argmax())]
        values = super()._values(output)
        if self._json:
            return [label, dict(zip(self._classes, values, strict=True))]
        return [label, *values]


def _shortest(value: object) -> float | None:
    """A float32 as the shortest number that reads back as it; None where it is not finite."""
    # str() of a float32 is its shortest form; float() alone would spell out a float64's digits.
    number = float(str(value))
    return number if math.isfinite(number) else None


def _csv_line(cells: list[object]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerow(cells)
    return stream.getvalue()
