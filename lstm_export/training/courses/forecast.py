"""Forecasting: windows of a series, tested beside naive forecasts, with prediction intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from lstm_export.checkpoint import Description
from lstm_export.contract import DataOrigin, Recurrent
from lstm_export.data.series import Series
from lstm_export.data.windows import window_targets
from lstm_export.nn.forecaster import Forecaster
from lstm_export.nn.initialise import initialise
from lstm_export.nn.trainable import Trainable
from lstm_export.training.batches import Batches, WindowBatches
from lstm_export.training.conformal import calibrate, coverage_on_test
from lstm_export.training.courses.course import Outcome, ToDevice
from lstm_export.training.evaluate import (
    MODEL,
    evaluation_batch,
    prediction_columns,
    test_forecasts,
    test_metrics,
)
from lstm_export.training.options import TrainOptions
from lstm_export.training.prepare import prepare
from lstm_export.training.residuals import residuals_ahead
from lstm_export.training.schedule import EpochRecord

_NO_VALIDATION = (
    "no validation part: all epochs are trained and the last weights are kept, and forecasts have "
    "no intervals"
)


class ForecastCourse:
    """Raises DataError for data that cannot be used, OptionError for options that do not suit."""

    def __init__(self, options: TrainOptions) -> None:
        self._prepared = prepare(options)

    @property
    def options(self) -> TrainOptions:
        return self._prepared.options

    @property
    def origin(self) -> DataOrigin:
        return self._prepared.origin

    @property
    def series(self) -> Series:
        """The series that the windows are of."""
        return self._prepared.series

    @property
    def notes(self) -> tuple[str, ...]:
        untested = () if self.options.validation else (_NO_VALIDATION,)
        return (*self.series.notes, *untested)

    @property
    def count(self) -> int:
        return len(self._prepared.starts.train)

    @property
    def recurrent(self) -> Recurrent:
        return self._prepared.forecast.recurrent

    @property
    def steps(self) -> int:
        return self.options.context_length

    @property
    def evaluation_batch(self) -> int:
        return evaluation_batch(self._prepared.forecast)

    def build(self) -> Forecaster:
        return Forecaster(self._prepared.forecast, self.options.dropout)

    def initialise(self, model: Trainable) -> None:
        initialise(cast(Forecaster, model), self.options.init)

    def batches(self, to_device: ToDevice) -> tuple[Batches, Batches]:
        options, prepared = self.options, self._prepared
        inputs, targets = to_device(prepared.inputs), to_device(prepared.targets)
        train = to_device(prepared.starts.train)
        window = prepared.forecast.window
        # The last step alone has a cheaper way through the model.
        last_only = options.warm_up == options.context_length - 1
        warm_up = None if last_only else options.warm_up
        validation = to_device(prepared.starts.validation)
        return (
            WindowBatches(inputs, targets, train, window, warm_up),
            WindowBatches(inputs, targets, validation, window),
        )

    def test_batches(self, to_device: ToDevice) -> Batches:
        prepared = self._prepared
        inputs, targets = to_device(prepared.inputs), to_device(prepared.targets)
        starts = to_device(prepared.starts.test)
        return WindowBatches(inputs, targets, starts, prepared.forecast.window)

    def finish(self, model: Trainable, history: Sequence[EpochRecord]) -> Outcome:
        forecaster, prepared = cast(Forecaster, model), self._prepared
        series, starts, window = prepared.series, prepared.starts, prepared.forecast.window
        forecasts = test_forecasts(forecaster, series, starts.test, prepared.season)
        intervals = calibrate(residuals_ahead(forecaster, series, starts.validation))
        missed = window_targets(series, starts.test, window) - forecasts[MODEL]
        parts = ("train", "validation", "test")
        metrics: dict[str, Any] = {
            **test_metrics(forecasts, series, starts.test, window),
            "test_coverage": coverage_on_test(intervals, missed[:, 0], series.targets),
            "season": prepared.season,
            "windows": {name: len(getattr(starts, name)) for name in parts},
        }
        description = Description(
            prepared.forecast, prepared.origin, self.options.seed, metrics, {}, intervals=intervals
        )
        return Outcome(description, prediction_columns(forecasts, series, starts.test, window))
