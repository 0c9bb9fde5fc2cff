"""`lstm-export predict`: tables in, forecasts or a replayed history out, errors in one message."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstm_export.cli.main import run
from lstm_export.contract import Column, Forecast, Recurrent, Scaling, TimeAxis, Window
from lstm_export.runtime.load import load_forecaster

Bundle = Callable[[Forecast], Path]

LEVEL = Forecast(
    features=(Column("level", "m", -2.0, 3.0),),
    targets=(Column("level", "m", -2.0, 3.0),),
    window=Window(context_length=4, horizon=1, difference=1),
    input_scaling=Scaling("standard", (0.1,), (1.5,)),
    target_scaling=Scaling("standard", (0.1,), (1.5,)),
    recurrent=Recurrent("gru", 1, 4),
    time=TimeAxis("month", "month", 1, "%Y-%m"),
)
RAINY = Forecast(
    features=(Column("rain", "mm", 0.0, 9.0), Column("level", "m", -2.0, 3.0)),
    targets=(Column("level", "m", -2.0, 3.0),),
    window=Window(context_length=4, horizon=2),
    input_scaling=Scaling("none", (0.0, 0.0), (1.0, 1.0)),
    target_scaling=Scaling("none", (0.0,), (1.0,)),
    recurrent=Recurrent("rnn", 2, 4),
)


def months(rows: int, first: int = 0) -> list[str]:
    return [f"{2020 + i // 12}-{i % 12 + 1:02d}" for i in range(first, first + rows)]


def table(path: Path, **columns: list[object]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def wave(rows: int) -> list[object]:
    return [round(float(v), 3) for v in np.sin(np.arange(rows) / 3)]


@pytest.fixture
def level(make_bundle: Bundle) -> Path:
    return make_bundle(LEVEL)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return table(tmp_path / "d.csv", month=months(20), level=wave(20), comment=["x"] * 20)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_on_stdout_past_the_end(
    level: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(level), str(data), "--horizon", "3"]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert [row["month"] for row in rows] == months(3, first=20)
    history = np.array(wave(20), dtype=float)[:, np.newaxis]
    expected = load_forecaster(level).forecast(history, 3)[:, 0]
    got = np.array([float(row["level"]) for row in rows], np.float32)
    np.testing.assert_array_equal(got, expected)  # as short as they read back exactly


def test_the_trained_horizon_and_files(
    make_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = table(tmp_path / "d.csv", level=wave(9), rain=list(range(9)))
    bundle = str(make_bundle(RAINY))
    for name in ("out.csv", "out.parquet"):
        out = tmp_path / name
        assert run(["predict", bundle, str(data), "--out", str(out)]) == 0
        assert capsys.readouterr().out == ""
        assert out.stat().st_size > 0
        assert run(["predict", bundle, str(data), "--out", str(out)]) == 2
        assert "exists already" in capsys.readouterr().err
        assert run(["predict", bundle, str(data), "--out", str(out), "--force"]) == 0
        capsys.readouterr()
    rows = rows_of((tmp_path / "out.csv").read_text())
    assert [row["row"] for row in rows] == ["10", "11"]
    # Features are taken by name, not by place.
    x = np.array([[rain, level] for rain, level in zip(range(9), wave(9), strict=True)], float)
    expected = load_forecaster(bundle).forecast(x)[:, 0]
    assert [np.float32(row["level"]) for row in rows] == expected.tolist()


def test_json_of_a_forecast(level: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", str(level), str(data), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["mode"] == "forecast"
    assert (document["horizon"], document["targets"]) == (1, {"level": "m"})
    assert [row["month"] for row in document["rows"]] == ["2021-09"]
    assert document["columns"] == ["month", "level"]
    assert (document["out"], document["plot"], document["notes"]) == (None, None, [])


def test_a_backtest_is_the_model_on_every_window(
    level: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "replayed.csv"
    assert run(["predict", str(level), str(data), "--backtest", "--out", str(out), "--json"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    rows = rows_of(out.read_text())
    assert list(rows[0]) == ["month", "level", "level_forecast"]
    assert [row["month"] for row in rows] == months(15, first=5)
    assert document["windows"] == len(rows) == 15
    values, model = np.array(wave(20), dtype=float), load_forecaster(level)
    expected = [model(values[i : i + 5])[0, 0] for i in range(15)]
    got = np.array([float(row["level_forecast"]) for row in rows])
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    assert [float(row["level"]) for row in rows] == values[5:].tolist()
    errors = document["metrics"]["level"]
    assert errors["rmse"] == pytest.approx(np.sqrt(np.mean((got - values[5:]) ** 2)), rel=1e-4)
    assert errors["mae"] == pytest.approx(np.mean(np.abs(got - values[5:])), rel=1e-4)
    assert "level: RMSE" in captured.err


def test_several_series_and_gaps(
    level: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["a"] * 20 + ["b"] * 9
    times = [*months(20), *months(4), *months(5, first=8)]
    data = table(tmp_path / "d.csv", site=where, month=times, level=wave(29))
    arguments = ["predict", str(level), str(data), "--series-id", "site"]
    assert run([*arguments, "--horizon", "2"]) == 0
    captured = capsys.readouterr()
    rows = rows_of(captured.out)
    assert [(r["site"], r["month"]) for r in rows] == [
        ("a", "2021-09"),
        ("a", "2021-10"),
        ("b", "2021-02"),
        ("b", "2021-03"),
    ]
    assert "gap" in captured.err
    expected = load_forecaster(level).forecast(np.array(wave(29)[-5:], float), 2)[:, 0]
    np.testing.assert_allclose([float(r["level"]) for r in rows[2:]], expected, rtol=1e-5)
    assert run([*arguments, "--backtest"]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert {r["site"] for r in rows} == {"a"}  # no window of b has a row after it
    assert len(rows) == 15


def test_a_shorter_history_is_used_and_said(
    level: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = table(tmp_path / "d.csv", month=months(3), level=wave(3))
    assert run(["predict", str(level), str(data)]) == 0
    assert "fewer unbroken rows than the 5" in capsys.readouterr().err


def test_another_step_in_time_is_said(
    level: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = table(tmp_path / "d.csv", month=list(range(9)), level=wave(9))
    assert run(["predict", str(level), str(data)]) == 0
    assert "trained on rows 1 month apart" in capsys.readouterr().err


@pytest.mark.parametrize(("mode", "suffix"), [(["--horizon", "4"], "png"), (["--backtest"], "svg")])
def test_plots(level: Path, data: Path, tmp_path: Path, mode: list[str], suffix: str) -> None:
    plot = tmp_path / f"plot.{suffix}"
    assert run(["predict", str(level), str(data), *mode, "--plot", str(plot)]) == 0
    assert plot.read_bytes()[:5] == (b"\x89PNG\r" if suffix == "png" else b"<?xml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--horizon", "0"], "horizon must be an integer ≥ 1, got 0"),
        (["--backtest", "--horizon", "2"], "leave out --horizon"),
        (["--backtest", "--horizon", "1"], "leave out --horizon"),
        (["--missing", "ignore"], "missing must be"),
        (["--series-id", "sight"], "no column 'sight'"),
        (["--out", "forecast.xlsx"], "ends in .csv or .parquet"),
        (["--plot", "forecast.gif"], "not '.gif'"),
        (["--out", "absent/forecast.csv"], "cannot write absent/forecast.csv"),
    ],
)
def test_options_that_make_no_sense(
    level: Path,
    data: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["predict", str(level), str(data), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("month,level\n", "d.csv"),
        ("month,lvel\n2020-01,1\n2020-02,2\n2020-03,2\n", "did you mean 'lvel'?"),
        ("month,level\n2020-01,1\n2020-02,two\n2020-03,2\n", "'two'"),
        ("month,level\n2020-01,1\n2020-02,\n2020-03,2\n", "line 3"),
        ("month,level\n2020-01,1\n2020-02,inf\n2020-03,2\n", "inf"),
        ("month,level\n2020-01,1\n2020-02,1e39\n2020-03,2\n", "too large for float32"),
        ("month,level\n2020-01,1\n", "needs at least 2"),
    ],
)
def test_tables_that_are_refused(
    level: Path,
    tmp_path: Path,
    content: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = tmp_path / "d.csv"
    data.write_text(content)
    out = tmp_path / "out.csv"
    assert run(["predict", str(level), str(data), "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_table_too_short_to_replay(
    level: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = table(tmp_path / "d.csv", month=months(5), level=wave(5))
    assert run(["predict", str(level), str(data), "--backtest"]) == 2
    assert "nothing to replay" in capsys.readouterr().err


def test_a_foreign_graph_is_no_forecaster(
    level: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(level / "stream.onnx"), str(data)]) == 2
    assert "is no forecaster" in capsys.readouterr().err


def test_an_absent_matplotlib_is_named(
    level: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    plot = tmp_path / "p.png"
    assert run(["predict", str(level), str(data), "--plot", str(plot)]) == 2
    assert "pip install 'lstm-export[report]'" in capsys.readouterr().err


KNOWN = Forecast(
    features=(Column("rain", "mm", 0.0, 9.0), Column("level", "m", -2.0, 3.0)),
    targets=(Column("level", "m", -2.0, 3.0),),
    window=Window(context_length=4, horizon=1, difference=1),
    input_scaling=Scaling("standard", (0.0, 0.1), (2.0, 1.5)),
    target_scaling=Scaling("standard", (0.1,), (1.5,)),
    recurrent=Recurrent("lstm", 2, 4),
    time=TimeAxis("month", "month", 1, "%Y-%m"),
)


@pytest.fixture
def rainy(tmp_path: Path) -> Path:
    rain = [round(float(v), 2) for v in np.arange(12) % 5]
    return table(tmp_path / "d.csv", month=months(12), level=wave(12), rain=rain)


def test_known_rows_take_a_model_of_one_step_further(
    make_bundle: Bundle, rainy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, rain = str(make_bundle(KNOWN)), [1.0, 0.0, 4.5, 2.0]
    future = table(tmp_path / "f.csv", rain=rain, month=months(4, 12), other=["x"] * 4)
    history = np.array([(i % 5, value) for i, value in enumerate(wave(12))], float)
    expected = load_forecaster(bundle).forecast(history, 5, future={"rain": rain})[:, 0]
    assert run(["predict", bundle, str(rainy), "--future", str(future)]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert [row["month"] for row in rows] == months(4, 12)
    assert [np.float32(row["level"]) for row in rows] == expected[:4].tolist()
    asked = ["predict", bundle, str(rainy), "--future", str(future), "--horizon"]
    assert run([*asked, "5"]) == 0
    assert [np.float32(r["level"]) for r in rows_of(capsys.readouterr().out)] == expected.tolist()
    assert run([*asked, "6"]) == 2
    assert "future['rain'] is too short: 4 values" in capsys.readouterr().err


def test_known_rows_of_several_series(
    make_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(make_bundle(KNOWN))
    where: list[object] = ["a"] * 8 + ["b"] * 8
    rain: list[object] = [float(i % 5) for i in range(16)]
    data = table(tmp_path / "d.csv", where=where, month=months(8) * 2, level=wave(16), rain=rain)
    names: list[object] = ["b", "a", "b", "a", "c"]
    future = table(
        tmp_path / "f.csv",
        where=names,
        month=[months(1, 8)[0], months(1, 8)[0], months(1, 9)[0], months(1, 9)[0], "2020-01"],
        rain=[1.0, 2.0, 3.0, 4.0, 5.0],
    )
    options = ["predict", bundle, str(data), "--series-id", "where", "--future", str(future)]
    assert run(options) == 0
    got = [np.float32(row["level"]) for row in rows_of(capsys.readouterr().out)]
    model = load_forecaster(bundle)
    expected = [
        model.forecast(
            np.array([rain[start : start + 8], wave(16)[start : start + 8]], float).T,
            2,
            future={"rain": known},
        )[:, 0]
        for start, known in ((0, [2.0, 4.0]), (8, [1.0, 3.0]))
    ]
    np.testing.assert_allclose(got, np.concatenate(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"level": [1, 2]}, "rain"),
        ({"rain": ["x", 2]}, "'x'"),
        ({"rain": ["", 2]}, "rain"),
        ({"rain": [1, 2], "month": ["2021-02", "2021-03"]}, "expected 2021-01 in the column"),
        ({"rain": [1, 2], "month": ["2021-01", "2021-03"]}, "line 3: expected 2021-02"),
        ({"rain": []}, "rows"),
    ],
)
def test_known_rows_that_do_not_fit(
    make_bundle: Bundle,
    rainy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    columns: dict[str, list[object]],
    message: str,
) -> None:
    future = table(tmp_path / "f.csv", **columns)
    assert run(["predict", str(make_bundle(KNOWN)), str(rainy), "--future", str(future)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_known_rows_that_no_one_needs(
    make_bundle: Bundle,
    level: Path,
    rainy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    future = str(table(tmp_path / "f.csv", rain=[1, 2]))
    for bundle, reason in (
        (level, "predicts all of its features"),
        (make_bundle(RAINY), "at once"),
    ):
        assert run(["predict", str(bundle), str(rainy), "--future", future]) == 2
        assert f"{reason}: leave out --future" in capsys.readouterr().err
    assert run(["predict", str(level), str(rainy), "--future", future, "--backtest"]) == 2
    assert "leave out --future" in capsys.readouterr().err
    out = ["--out", future, "--force"]
    assert run(["predict", str(make_bundle(KNOWN)), str(rainy), "--future", future, *out]) == 2
    assert "which is the table that is read" in capsys.readouterr().err
