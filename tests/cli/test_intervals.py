"""Prediction intervals on the command line: `predict --coverage`, `train`, `inspect`, the card."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstm_export.cli.main import run
from lstm_export.contract import Column, Forecast, Intervals, Recurrent, Scaling, TimeAxis, Window
from lstm_export.runtime.load import load_forecaster

LEVEL = Forecast(
    features=(Column("level", "m", -2.0, 3.0),),
    targets=(Column("level", "m", -2.0, 3.0),),
    window=Window(context_length=4, horizon=1, difference=1),
    input_scaling=Scaling("standard", (0.1,), (1.5,)),
    target_scaling=Scaling("standard", (0.1,), (1.5,)),
    recurrent=Recurrent("gru", 1, 4),
    time=TimeAxis("month", "month", 1, "%Y-%m"),
)
INTERVALS = Intervals((0.5, 0.9), (12, 11, 10), (((0.25, 0.5, 0.75),), ((1.0, 1.5),)))
ROWS = 20


@pytest.fixture
def bundle(
    make_bundle: Callable[[Forecast], Path], give_intervals: Callable[[Path, Intervals], Path]
) -> Path:
    return give_intervals(make_bundle(LEVEL), INTERVALS)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.csv"
    months = [f"{2020 + i // 12}-{i % 12 + 1:02d}" for i in range(ROWS)]
    lines = [f"{month},{np.sin(i / 3):.3f}" for i, month in enumerate(months)]
    file.write_text("\n".join(["month,level", *lines]) + "\n")
    return file


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_forecast_with_its_bounds(
    bundle: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["predict", str(bundle), str(data), "--horizon", "2", "--coverage", "0.9"]
    assert run(arguments) == 0
    captured = capsys.readouterr()
    assert "note" not in captured.err
    rows = rows_of(captured.out)
    assert list(rows[0]) == ["month", "level", "level_lower", "level_upper"]
    history = np.array([float(r["level"]) for r in rows_of(data.read_text())])
    interval = load_forecaster(bundle).forecast(history, 2, coverage=0.9)
    for name, part in zip(("level", "level_lower", "level_upper"), interval, strict=True):
        assert [np.float32(row[name]) for row in rows] == part[:, 0].tolist()

    assert run([*arguments[:-1], "0.3", "--json"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert (document["coverage"], document["level"]) == (0.3, 0.5)
    assert document["columns"] == ["month", "level", "level_lower", "level_upper"]
    assert document["rows"][1]["level_upper"] - document["rows"][1]["level"] == pytest.approx(0.5)
    assert document["notes"] == ["no intervals for a coverage of 0.3 are stored: these are for 0.5"]
    assert document["notes"][0] in captured.err


def test_without_coverage_nothing_is_added(
    bundle: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(bundle), str(data), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["coverage"], document["level"]) == (None, None)
    assert document["columns"] == ["month", "level"]


def test_a_backtest_counts_what_was_held(
    bundle: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["predict", str(bundle), str(data), "--backtest", "--coverage", "0.5", "--json"]
    assert run(arguments) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    truth, forecast, lower, upper = (
        np.array([row[name] for row in document["rows"]])
        for name in ("level", "level_forecast", "level_lower", "level_upper")
    )
    np.testing.assert_allclose(upper - forecast, 0.25, rtol=1e-5)
    np.testing.assert_allclose(forecast - lower, 0.25, rtol=1e-5)
    share = np.mean((lower <= truth) & (truth <= upper))
    assert 0 < share < 1
    assert document["metrics"]["level"]["covered"] == pytest.approx(share)
    assert f"{share:.1%} within the interval" in captured.err


@pytest.mark.parametrize("mode", [["--horizon", "2"], ["--backtest"]])
def test_plots_show_the_band(bundle: Path, data: Path, tmp_path: Path, mode: list[str]) -> None:
    plain, banded = tmp_path / "plain.svg", tmp_path / "banded.svg"
    arguments = ["predict", str(bundle), str(data), *mode]
    assert run([*arguments, "--plot", str(plain)]) == 0
    assert run([*arguments, "--plot", str(banded), "--coverage", "0.9"]) == 0
    assert "FillBetween" not in plain.read_text()
    assert "FillBetween" in banded.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--coverage", "0"], "coverage must lie between 0 and 1"),
        (["--coverage", "0.99"], "12 residuals of the validation part are enough for at most 0.9"),
        (["--coverage", "0.99", "--backtest"], "enough for at most 0.9 at 1 step ahead"),
        (["--coverage", "0.9", "--horizon", "3"], "enough for at most 0.5 at 3 steps ahead"),
        (["--coverage", "0.5", "--horizon", "4"], "known for up to 3 steps ahead, not for 4"),
    ],
)
def test_what_cannot_be_promised(
    bundle: Path,
    data: Path,
    tmp_path: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out.csv"
    assert run(["predict", str(bundle), str(data), *arguments, "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert not out.exists()


def test_a_bundle_without_intervals(
    make_bundle: Callable[[Forecast], Path], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(make_bundle(LEVEL)), str(data), "--coverage", "0.9"]) == 2
    assert "this model has no prediction intervals" in capsys.readouterr().err
    assert run(["inspect", str(make_bundle(LEVEL))]) == 0
    assert "intervals      none\n" in capsys.readouterr().out


def test_inspect_tells_levels_steps_and_residuals(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", str(bundle)]) == 0
    text = capsys.readouterr().out
    assert "intervals      0.5: 3 steps ahead, from 12 to 10 residuals each\n" in text
    assert "intervals      0.9: 2 steps ahead, from 12 to 11 residuals each\n" in text
    assert run(["inspect", str(bundle), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["intervals"] == {
        "levels": [0.5, 0.9],
        "residuals": [12, 11, 10],
        "half_widths": [[[0.25, 0.5, 0.75]], [[1.0, 1.5]]],
    }


def test_from_a_table_to_a_forecast_with_bounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, made = tmp_path / "wave.csv", tmp_path / "run"
    noise = np.random.default_rng(3).normal(0, 0.1, (2, 160))
    i = np.arange(160)
    data.write_text(
        "a,b\n"
        + "\n".join(
            f"{x:.4f},{y:.4f}"
            for x, y in zip(np.sin(i / 4) + noise[0], np.cos(i / 4) + noise[1], strict=True)
        )
    )
    options = ["--epochs", "2", "--hidden-size", "4", "--context-length", "5"]
    assert run(["train", str(data), "--target", "a,b", "--out", str(made), *options]) == 0
    text = capsys.readouterr().out
    # 24 rows validate: one-step errors are enough for 24/25, and half of the windows go 13 steps.
    assert "intervals coverage up to 0.95, 13 steps ahead; on the test part those for 0.9" in text
    assert "of a" in text
    assert "Intervals" in (made / "report.html").read_text()
    bundle = tmp_path / "bundle"
    assert run(["export", str(made), "--out", str(bundle)]) == 0
    assert "coverage=0.9" in (bundle / "README.md").read_text()
    capsys.readouterr()
    assert run(["verify", str(bundle), "--against", str(made)]) == 0
    capsys.readouterr()
    predict = ["predict", str(bundle), str(data), "--horizon", "13", "--coverage", "0.8"]
    assert run(predict) == 0
    rows = rows_of(capsys.readouterr().out)
    assert list(rows[0]) == [
        *("row", "a", "a_lower", "a_upper"),
        *("b", "b_lower", "b_upper"),
    ]
    assert all(float(r["b_lower"]) < float(r["b"]) < float(r["b_upper"]) for r in rows)
