"""`forecast` with a coverage: the stored half-widths around the same forecast, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstm_export.bundle.manifest import Manifest
from lstm_export.bundle.read import open_bundle
from lstm_export.contract import Intervals
from lstm_export.errors import ChecksumError, ContractError, OptionError
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.load import load_forecaster

Bundle = Callable[[str], Path]
Give = Callable[[Path, Intervals], Path]

INTERVALS = Intervals(
    (0.5, 0.9, 0.99),
    (120, 110, 95),
    (((1.0, 2.0, 3.0),), ((2.0, 4.0, 3.5),), ((5.0, 6.0),)),
)


@pytest.fixture
def seasonal(bundle: Bundle, give_intervals: Give) -> ForecastModel:
    return load_forecaster(give_intervals(bundle("seasonal"), INTERVALS))


def rows(batch: int, length: int = 9) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(batch, length, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("coverage", "steps", "widths"),
    [
        (0.5, 1, [1.0]),
        (0.9, 3, [2.0, 4.0, 3.5]),
        (0.2, 2, [1.0, 2.0]),  # the next level that is stored
        (0.51, 2, [2.0, 4.0]),
        (0.95, 2, [5.0, 6.0]),
        (np.float32(0.5), 1, [1.0]),
    ],
)
def test_the_bounds_are_those_of_the_next_level(
    seasonal: ForecastModel, coverage: float, steps: int, widths: list[float]
) -> None:
    x = rows(4)
    alone = seasonal.forecast(x, steps)
    forecast, lower, upper = seasonal.forecast(x, steps, coverage=coverage)
    np.testing.assert_array_equal(forecast, alone)
    half = np.array(widths, np.float32)[:, np.newaxis]
    np.testing.assert_array_equal(lower, alone - half)
    np.testing.assert_array_equal(upper, alone + half)
    assert lower.dtype == upper.dtype == np.float32


def test_one_series_a_batch_and_a_ragged_list(seasonal: ForecastModel) -> None:
    x = rows(1)[0]
    single = seasonal.forecast(x, 3, coverage=0.9)
    assert [part.shape for part in single] == [(3, 1)] * 3
    histories = [x, x[:6], x[2:], x[-5:]]
    for part, name in zip(
        seasonal.forecast(histories, 3, coverage=0.9), single._fields, strict=True
    ):
        assert part.shape == (4, 3, 1)
        np.testing.assert_allclose(part[0], getattr(single, name), rtol=1e-6)
    plain = seasonal.forecast(histories, 3)
    np.testing.assert_array_equal(seasonal.forecast(histories, 3, coverage=0.9).forecast, plain)


def test_targets_have_widths_of_their_own(bundle: Bundle, give_intervals: Give) -> None:
    widths = (((1.0, 2.0, 3.0), (10.0, 20.0, 30.0)),)
    found = give_intervals(bundle("direct"), Intervals((0.8,), (9, 9, 9), widths))
    x = np.random.default_rng(1).normal(size=(2, 8, 2))
    interval = load_forecaster(found).forecast(x, 2, coverage=0.8)
    np.testing.assert_allclose(
        interval.upper - interval.forecast, [[[1, 10], [2, 20]]] * 2, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("coverage", "steps", "message"),
    [
        (0.9, 4, r"coverage 0.9: intervals are known for up to 3 steps ahead, not for 4"),
        (0.95, 3, r"coverage 0.95: 95 residuals .* at most 0.9 at 3 steps ahead"),
        (0.995, 1, r"coverage 0.995: 120 residuals .* at most 0.99 at 1 step ahead"),
        *(
            (wrong, 1, r"coverage must lie between 0 and 1, such as 0.9, got ")
            for wrong in (0, 1, 1.5, -0.1, float("nan"), float("inf"), True, "0.9", "much", [0.9])
        ),
    ],
)
def test_what_cannot_be_promised_is_refused(
    seasonal: ForecastModel, coverage: float, steps: int, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        seasonal.forecast(rows(2), steps, coverage=coverage)


def test_a_model_without_intervals(model: Callable[[str], ForecastModel], bundle: Bundle) -> None:
    assert model("seasonal").intervals is None
    for loaded in (model("seasonal"), load_forecaster(bundle("seasonal") / "model.onnx")):
        with pytest.raises(OptionError, match="this model has no prediction intervals"):
            loaded.forecast(rows(1), coverage=0.9)


def test_a_manifest_keeps_its_intervals(bundle: Bundle, give_intervals: Give) -> None:
    path = give_intervals(bundle("seasonal"), INTERVALS)
    opened = open_bundle(path)
    assert opened.manifest.intervals == INTERVALS
    assert hash(opened.manifest.intervals) == hash(INTERVALS)
    # The graphs know nothing of them.
    for name in ("model.onnx", "stream.onnx"):
        assert opened.read(name) == (bundle("seasonal") / name).read_bytes()
    manifest = (path / "manifest.json").read_bytes()
    with pytest.raises(ChecksumError):
        Manifest.from_bytes(manifest.replace(b"3.5", b"0.1"), "manifest.json")
    # One without intervals is written as it was before there were any.
    assert b"intervals" not in (bundle("seasonal") / "manifest.json").read_bytes()


def test_half_widths_that_are_no_numbers_are_refused() -> None:
    from lstm_export.decode import decode

    body = {"levels": [0.9], "residuals": [9], "half_widths": [[[1.0, 2]]]}
    assert decode(Intervals, body, "x").half_widths == (((1.0, 2.0),),)
    with pytest.raises(ContractError, match=r"x.half_widths\[0\]\[0\]\[1\]: expected float"):
        decode(Intervals, {**body, "half_widths": [[[1.0, "2"]]]}, "x")
