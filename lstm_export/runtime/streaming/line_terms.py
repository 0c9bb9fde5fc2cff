"""What the lines of a model have in them, and what each is answered with, by name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import BATCH, SEQUENCE_LENGTH, Forecast, TensorSpec
from lstm_export.errors import OptionError
from lstm_export.runtime.answer_model import AnswerModel
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.symbols import Symbols

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.graph_model import GraphModel
    from lstm_export.runtime.streaming.module_pool import ModulePool
    from lstm_export.runtime.streaming.row_pool import RowPool


class LineTerms:
    """`features` are the columns of a line in the model's order, `time` a column that is handed on,
    `answers` the values of an answer: of a forecast, for each target all its steps. Of labels they
    are the probabilities of `classes`, and `label` is what the likeliest one is called. `symbols`
    are those of a model that reads them."""

    __slots__ = ("_turned", "answers", "classes", "features", "label", "pool", "symbols", "time")

    def __init__(
        self,
        pool: RowPool | ModulePool,
        features: list[str],
        answers: list[str],
        time: str | None = None,
        *,
        turned: bool = False,
        label: str = "",
        classes: Sequence[str] = (),
        symbols: Symbols | None = None,
    ) -> None:
        self.pool, self.features, self.answers, self.time = pool, features, answers, time
        self._turned, self.label, self.classes, self.symbols = turned, label, classes, symbols

    def step(self, slot: int, values: Array) -> Array:
        """The answer to one row of one series, in the order of `answers`."""
        answer = self.pool.step({slot: values})[slot]
        if isinstance(answer, dict):
            return np.concatenate([np.asarray(one).reshape(-1) for one in answer.values()])
        # A forecast is (horizon, targets).
        return (answer.T if self._turned else answer).reshape(-1)


def line_terms(model: ForecastModel | AnswerModel | GraphModel, capacity: int) -> LineTerms:
    """Those of `model`, with a pool of its streams. The columns of a model that was trained on a
    table are those of the table, and the symbols of texts stand in the column of the texts; the
    columns of another are called after its input and its outputs, with a number for each value.
    Raises OptionError for a model that cannot stream, or takes more than a row of numbers.
    """
    if isinstance(model, ForecastModel):
        terms = model.terms
        time = terms.time.column if terms.time else None
        features = [column.name for column in terms.features]
        return LineTerms(model.pool(capacity), features, _targets(terms), time, turned=True)
    if isinstance(model, AnswerModel):
        return _of_sequences(model, capacity)
    pool = model.pool(capacity)
    graph = model.stream_spec()
    data = [spec for spec in graph.inputs if not spec.name.startswith("initial_")]
    outputs = [spec for spec in graph.outputs if not spec.name.startswith("final_")]
    sizes = [_sizes(spec) for spec in (*data, *outputs)]
    if len(data) != 1 or data[0].dtype != "float32" or None in sizes or len(sizes[0] or ()) > 1:
        told = "; ".join(map(str, data))
        raise OptionError(
            f"a line has the numbers of one step, for one float32 input; this model takes {told}: "
            f"use model.stream() in Python ({LAYOUT.stream})"
        )
    names = [name for spec in outputs for name in _numbered(spec)]
    return LineTerms(pool, _numbered(data[0]), names)


def _of_sequences(model: AnswerModel, capacity: int) -> LineTerms:
    terms, source = model.terms, model.terms.source
    time = None if source is None else source.time
    if terms.vocabulary is None:
        features, symbols = [column.name for column in terms.features], None
    else:
        text = None if source is None else source.text
        features, symbols = [text or "text"], Symbols(terms.vocabulary)
    names = [f"{column.name} prediction" for column in terms.targets]
    return LineTerms(
        model.pool(capacity),
        features,
        names or [f"probability of {name}" for name in terms.classes],
        time,
        label=f"{terms.answer[0]} prediction",
        classes=terms.classes,
        symbols=symbols,
    )


def _targets(terms: Forecast) -> list[str]:
    horizon = terms.window.horizon
    if horizon == 1:
        return [column.name for column in terms.targets]
    steps = range(1, horizon + 1)
    return [f"{column.name}_{step}" for column in terms.targets for step in steps]


def _sizes(spec: TensorSpec) -> list[int] | None:
    """The axes of one row at one step; None if the model does not say them."""
    sizes = [axis for axis in spec.axes if axis not in (BATCH, SEQUENCE_LENGTH)]
    return None if any(isinstance(size, str) for size in sizes) else sizes  # type: ignore[return-value]


def _numbered(spec: TensorSpec) -> list[str]:
    sizes = _sizes(spec) or []
    if not sizes or set(sizes) == {1}:
        return [spec.name]
    places = product(*(range(1, size + 1) for size in sizes))
    return ["_".join([spec.name, *map(str, place)]) for place in places]
