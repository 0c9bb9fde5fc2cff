"""From options to what a model is trained on: a series, its windows, its scaling, its contract."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Column, DataOrigin, Forecast, Recurrent, Window
from lstm_export.data.embedded import EMBEDDED
from lstm_export.data.load import load_table
from lstm_export.data.scaling import apply, difference, fit_scaling
from lstm_export.data.season import season_of
from lstm_export.data.series import Series, read_series
from lstm_export.data.split import TRAIN, parts
from lstm_export.data.windows import WindowStarts, window_starts
from lstm_export.errors import OptionError
from lstm_export.training.options import TrainOptions

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Prepared:
    """Everything about a run that is known before its first step."""

    options: TrainOptions
    """As given, with what was left open decided: columns, units, season, warm-up."""
    origin: DataOrigin
    series: Series
    starts: WindowStarts
    forecast: Forecast
    season: int
    inputs: Rows
    """(rows, features), differenced and scaled."""
    targets: Rows
    """(rows, targets), differenced and scaled."""


def prepare(options: TrainOptions) -> Prepared:
    """Reads the data and fits the scaling on its training part.

    Raises DataError for data that cannot be used, OptionError for options that do not suit it.
    """
    table = load_table(options.data)
    origin = DataOrigin(Path(table.name).name, table.sha256, table.rows)
    series = read_series(
        table,
        targets=options.target or None,
        features="all" if options.features == ("all",) else options.features or None,
        time=options.time,
        series_id=options.series_id,
        missing=options.missing,
    )
    if options.difference and (strange := set(series.targets) - set(series.features)):
        raise OptionError(
            f"--difference {options.difference} needs every --target among --features: "
            f"{sorted(strange)[0]!r} is not one of {', '.join(series.features)}"
        )
    split = parts(series, options.validation, options.test)
    window = Window(options.context_length, options.horizon, options.difference)
    starts = window_starts(series, split, window)
    season = options.season or season_of(series, split)
    units = _units(options, series)
    training = split == TRAIN

    seen = difference(series.values, window.difference, series.segments)
    wanted = difference(series.target_values, window.difference, series.segments)
    lag = options.difference
    what = f"difference over {lag} row{'s' if lag > 1 else ''}" if lag else "value"
    input_scaling = fit_scaling(seen[training], options.scaler, series.features, what=what)
    target_scaling = fit_scaling(wanted[training], options.scaler, series.targets, what=what)
    forecast = Forecast(
        features=_columns(series.features, series.values[training], units),
        targets=_columns(series.targets, series.target_values[training], units),
        window=window,
        input_scaling=input_scaling,
        target_scaling=target_scaling,
        recurrent=Recurrent(
            cell=options.recurrent_cell,
            input_size=len(series.features),
            hidden_size=options.hidden_size,
            num_layers=options.num_layers,
            bidirectional=options.bidirectional,
            proj_size=options.proj_size,
        ),
        time=series.time,
    )
    resolved = dataclasses.replace(
        options,
        target=series.targets,
        features=series.features,
        season=season,
        unit=units,
        warm_up=_warm_up(options),
    )
    inputs = apply(seen, input_scaling).astype(np.float32)
    targets = apply(wanted, target_scaling).astype(np.float32)
    return Prepared(resolved, origin, series, starts, forecast, season, inputs, targets)


def _warm_up(options: TrainOptions) -> int:
    if options.warm_up is not None:
        return options.warm_up
    return options.context_length - 1 if options.bidirectional else options.context_length // 4


def _units(options: TrainOptions, series: Series) -> dict[str, str]:
    """Units of the columns that are used: those given, then those an embedded set knows."""
    known = dict.fromkeys((*series.features, *series.targets))
    for name in options.unit:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            nearest = f"did you mean {close[0]!r}?" if close else f"used are {', '.join(known)}"
            raise OptionError(f"--unit: {name!r} is neither a feature nor a target: {nearest}")
    units = dict(options.unit)
    if dataset := EMBEDDED.get(options.data):
        recommended = dataset.options.get("target", ())
        assert isinstance(recommended, list | tuple)
        units = {name: dataset.unit for name in recommended if name in known} | units
    return units


def _columns(
    names: tuple[str, ...], training: npt.NDArray[np.float64], units: dict[str, str]
) -> tuple[Column, ...]:
    low, high = np.nanmin(training, axis=0).tolist(), np.nanmax(training, axis=0).tolist()
    return tuple(
        Column(name, units.get(name, ""), minimum, maximum)
        for name, minimum, maximum in zip(names, low, high, strict=True)
    )
