"""A pool of a forecaster's streams."""

from __future__ import annotations

from lstm_export.contract import Forecast
from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.streaming.graph import StreamGraph
from lstm_export.runtime.streaming.number_rows import NumberRows
from lstm_export.runtime.streaming.row_pool import RowPool


class ForecastPool(RowPool):
    """Up to `capacity` independent series; a slot takes and gives what `ForecastStream.step`
    does."""

    __slots__ = ()

    def __init__(
        self, graph: StreamGraph, terms: Forecast, capacity: int, on_nonfinite: OnNonfinite
    ) -> None:
        super().__init__(graph, NumberRows(terms.features, on_nonfinite), capacity, on_nonfinite)
