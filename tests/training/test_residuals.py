"""The errors ahead are those of the runtime's own forecasts, and never of another part's rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from lstm_export.checkpoint import DESCRIPTION, read_description
from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.data.series import Segment, Series
from lstm_export.data.split import TEST, VALIDATION, parts
from lstm_export.data.windows import window_starts
from lstm_export.nn.forecaster import Forecaster
from lstm_export.runtime.load import load_forecaster
from lstm_export.training import residuals as module
from lstm_export.training.device import quiet_torch
from lstm_export.training.options import TrainOptions
from lstm_export.training.residuals import residuals_ahead, steps_left
from lstm_export.training.train import train


def terms_of(features: str, targets: str, **changes: object) -> Forecast:
    def columns(names: str) -> tuple[Column, ...]:
        return tuple(Column(name, "m", -1.0, 1.0) for name in names)

    def scaling(names: str) -> Scaling:
        return Scaling("standard", (0.1,) * len(names), (0.8,) * len(names))

    window = Window(4, int(changes.pop("horizon", 1)), int(changes.pop("difference", 0)))  # type: ignore[call-overload]
    recurrent = Recurrent(hidden_size=3, input_size=len(features), **{"cell": "lstm", **changes})  # type: ignore[arg-type]
    return Forecast(
        columns(features), columns(targets), window, scaling(features), scaling(targets), recurrent
    )


KINDS = {
    "lstm": terms_of("a", "a"),
    "difference": terms_of("ab", "ab", cell="gru", difference=2, num_layers=2),
    "known": terms_of("kab", "ba", difference=1, proj_size=2),
    "two directions": terms_of("ak", "a", cell="rnn", bidirectional=True, difference=1),
    "direct": terms_of("a", "a", horizon=3),
}


def series_of(terms: Forecast, lengths: tuple[int, ...] = (70, 50)) -> Series:
    """Pieces of one series each, with gaps between them."""
    rows = sum(lengths)
    values = np.random.default_rng(5).normal(size=(rows, len(terms.features))).cumsum(0) / 4
    names = [column.name for column in terms.features]
    places = [names.index(column.name) for column in terms.targets]
    stops = np.cumsum(lengths).tolist()
    segments = tuple(
        Segment("", stop - length, stop) for stop, length in zip(stops, lengths, strict=True)
    )
    return Series(
        tuple(names),
        tuple(column.name for column in terms.targets),
        values,
        values[:, places],
        segments,
        None,
        [str(i) for i in range(rows)],
        (),
    )


@pytest.fixture
def model() -> Iterator[Callable[[Forecast], Forecaster]]:
    def make(terms: Forecast) -> Forecaster:
        torch.manual_seed(0)
        return Forecaster(terms).eval()

    with quiet_torch():
        yield make


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_truth_less_what_the_runtime_forecasts(
    kind: str, make_bundle: Callable[[Forecast], Path]
) -> None:
    terms = KINDS[kind]
    series = series_of(terms)
    # Validation is the end of the first piece and most of the second; there is a gap within it.
    split = parts(series, 0.5, 0.1)
    starts = window_starts(series, split, terms.window).validation
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch_model = Forecaster(terms).eval()  # the weights of make_bundle
    with quiet_torch():
        found = residuals_ahead(torch_model, series, starts)
    assert len(found) == (3 if kind == "direct" else len(found)) > 2

    runtime, history = load_forecaster(make_bundle(terms)), terms.window.history
    names = [column.name for column in terms.features]
    for step, residuals in enumerate(found, start=1):
        errors = []
        for start in starts.tolist():
            truth = start + history + step - 1
            segment = next(s for s in series.segments if s.start <= start < s.stop)
            if truth >= segment.stop or split[truth] != VALIDATION:
                continue
            rows = slice(start + history, truth)
            future = {
                column.name: series.values[rows, names.index(column.name)] for column in terms.known
            }
            ahead = runtime.forecast(
                series.values[start : start + history],
                None if kind == "direct" else step,
                future=future if future and step > 1 else None,
            )
            errors.append(series.target_values[truth] - ahead[step - 1])
        np.testing.assert_allclose(residuals, errors, atol=5e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_of_the_test_part_is_read(
    kind: str, model: Callable[[Forecast], Forecaster]
) -> None:
    terms = KINDS[kind]
    series = series_of(terms)
    split = parts(series, 0.3, 0.3)
    starts = window_starts(series, split, terms.window).validation
    before = residuals_ahead(model(terms), series, starts)
    series.values[split == TEST] = np.nan
    series.target_values[split == TEST] = np.nan
    after = residuals_ahead(model(terms), series, starts)
    assert all(np.isfinite(step).all() for step in after)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_steps_end_with_the_run_of_windows() -> None:
    assert steps_left(np.array([3, 4, 5, 9, 20, 21])).tolist() == [3, 2, 1, 1, 2, 1]


def test_half_of_the_windows_reach_every_step(model: Callable[[Forecast], Forecaster]) -> None:
    terms = KINDS["lstm"]
    series = series_of(terms, (400,))
    starts = window_starts(series, parts(series, 0.2, 0.2), terms.window).validation
    counts = [len(step) for step in residuals_ahead(model(terms), series, starts)]
    assert counts == list(range(80, 39, -1))


def test_very_many_windows_are_thinned(
    model: Callable[[Forecast], Forecaster], monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = KINDS["lstm"]
    series = series_of(terms, (900, 300))
    starts = window_starts(series, parts(series, 0.6, 0.2), terms.window).validation
    every = residuals_ahead(model(terms), series, starts)
    assert len(every) == module.MOST_STEPS
    monkeypatch.setattr(module, "MOST_WINDOWS", 90)
    some = residuals_ahead(model(terms), series, starts)
    assert len(some[0]) == 90
    assert len(some) == module.MOST_STEPS
    assert set(some[0].ravel().round(5)) <= set(every[0].ravel().round(5))
    assert abs(len(some[99]) / 90 - len(every[99]) / len(every[0])) < 0.05


def test_no_window_has_no_errors(model: Callable[[Forecast], Forecaster]) -> None:
    terms = KINDS["lstm"]
    assert residuals_ahead(model(terms), series_of(terms), np.empty(0, np.int64)) == []


def test_without_a_validation_part_a_run_has_no_intervals(
    tiny: Callable[..., TrainOptions], tmp_path: Path
) -> None:
    result = train(tiny(validation=0.0), tmp_path / "run")
    assert result.description.intervals is None
    assert result.description.metrics["test_coverage"] is None
    assert any("forecasts have no intervals" in note for note in result.notes)


def test_a_run_keeps_its_intervals(tiny: Callable[..., TrainOptions], tmp_path: Path) -> None:
    result = train(tiny(), tmp_path / "run")
    intervals = read_description(tmp_path / "run").intervals
    assert intervals is not None
    assert intervals == result.description.intervals
    assert intervals.residuals == tuple(range(21, 10, -1))
    assert result.description.metrics["test_coverage"]["one_step"].keys() == {"x"}


def test_a_run_of_before_there_were_intervals_still_reads(
    tiny: Callable[..., TrainOptions], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(tiny(epochs=1), run)
    document = json.loads((run / DESCRIPTION).read_text())
    del document["intervals"]
    (run / DESCRIPTION).write_text(json.dumps(document))
    assert read_description(run).intervals is None
