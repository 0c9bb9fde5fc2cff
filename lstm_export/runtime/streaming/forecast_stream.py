"""A forecaster's stream: a row of the table in, the forecast from everything up to it out."""

from __future__ import annotations

from lstm_export.contract import Forecast
from lstm_export.runtime.feed import OnNonfinite
from lstm_export.runtime.streaming.graph import StreamGraph
from lstm_export.runtime.streaming.number_rows import NumberRows
from lstm_export.runtime.streaming.row_stream import RowStream


class ForecastStream(RowStream):
    """`batch` independent series in step with each other.

    An answer is a forecast (horizon, targets): after each row the one that the model makes from
    everything up to it, however the rows are cut into chunks. A model on differences over K rows
    has nothing to say for the first K of a series: there the outputs are NaN.
    """

    __slots__ = ()

    def __init__(
        self, graph: StreamGraph, terms: Forecast, batch: int, on_nonfinite: OnNonfinite
    ) -> None:
        rows = NumberRows(terms.features, on_nonfinite)
        super().__init__(graph, rows, batch, on_nonfinite)
