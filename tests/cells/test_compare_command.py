"""`lstm-export compare`: its numbers are the runs', nothing is lost, errors are one message."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from lstm_export.cells import latency, trial
from lstm_export.cells.comparison import Latency
from lstm_export.cli.main import run

SWEEP = ["compare", "recall", "--cells", "lstm,rnn", "--seeds", "2", "--steps", "2,4"]
TINY = ["--max-steps", "3", "--hidden-size", "3"]


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SECONDS", 0.01)


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is exported."""

    def stub(runs: dict[str, Path], bundles: Path, steps: int) -> dict[str, Latency]:
        return {cell: Latency(steps, 1e-4, 1.0, 1.0, 1.0) for cell in runs}

    monkeypatch.setattr("lstm_export.cells.compare.export_and_time", stub)


@pytest.fixture
def sweep(
    made_once: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Path:
    """A copy of a finished comparison."""

    def fill(folder: Path) -> None:
        assert run([*SWEEP, *TINY, "--out", str(folder / "out"), "--json"]) == 0
        (folder / "shown.json").write_text(capsys.readouterr().out)

    made = made_once("compare-sweep", fill)
    shutil.copytree(made, tmp_path / "sweep")
    return tmp_path / "sweep"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_numbers_are_those_of_the_runs(sweep: Path) -> None:
    found = read(sweep / "shown.json")
    assert read(sweep / "out" / "compare.json") == {k: v for k, v in found.items() if k != "files"}
    assert [(row["steps"], row["cell"]) for row in found["results"]] == [
        (2, "lstm"),
        (2, "rnn"),
        (4, "lstm"),
        (4, "rnn"),
    ]
    for row in found["results"]:
        names = [f"T{row['steps']}-{row['cell']}-seed{seed}" for seed in (0, 1)]
        runs = [read(sweep / "out" / "runs" / name / "checkpoint.json") for name in names]
        scores = [one["metrics"]["test"]["model"]["accuracy"] for one in runs]
        assert row["scores"] == scores
        assert row["score"] == {
            "median": median(scores),
            "smallest": min(scores),
            "largest": max(scores),
        }
        assert row["parameters"] == runs[0]["metrics"]["parameters"]
        assert row["training_seconds"]["smallest"] > 0
        assert len(row["gradient"]["trained"]) == len(row["gradient"]["initial"])
        assert len(row["gradient"]["trained"]) == row["steps"] + 1
    assert found["chance"] == 1 / 8
    assert found["latency"]["lstm"]["ratio"] == 1
    assert found["latency"]["rnn"]["seconds"] > 0
    with (sweep / "out" / "compare.csv").open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [float(row["accuracy"]) for row in table if row["steps"] == "4"] == [
        score
        for pair in zip(*(row["scores"] for row in found["results"][2:]), strict=True)
        for score in pair
    ]


def test_help_names_the_keys(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read(sweep / "shown.json")
    assert run(["compare", "--help"]) == 0
    told = capsys.readouterr().out
    inner = (*found["metric"], *found["results"][0], *found["latency"]["rnn"])
    for key in (*found, *inner, "smallest", "trained", "initial"):
        assert key in told


def test_the_page_is_whole_and_the_images_are_there(sweep: Path) -> None:
    text = (sweep / "out" / "compare.html").read_text(encoding="utf-8")
    assert "LSTM, RNN on recall" in text
    assert "How far back a gradient reaches" in text
    assert text.count("<svg") == 3
    assert "http://" not in text.replace("http://www.w3.org/", "")
    for name in ("recall", "gradients", "cost"):
        assert (sweep / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("untimed")
def test_what_is_there_is_not_trained_again(
    sweep: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read(sweep / "shown.json")
    lost = sweep / "out" / "runs" / "T2-rnn-seed1.json"
    lost.write_text("{")
    monkeypatch.setattr("lstm_export.training.train._train", None)  # whoever trains fails
    assert run([*SWEEP, *TINY, "--out", str(sweep / "out"), "--json"]) == 0
    after = json.loads(capsys.readouterr().out)
    times = [row.pop("training_seconds") for found in (before, after) for row in found["results"]]
    assert after["results"] == before["results"]
    # Of the run whose record was lost the time is not known any more.
    assert times[5]["smallest"] == times[5]["largest"]
    assert times[4] == times[0]

    assert run([*SWEEP, *TINY, "--lr", "0.5", "--out", str(sweep / "out")]) == 2
    shown = capsys.readouterr().err
    assert "holds runs with other options: --lr was 0.01 and is 0.5" in shown
    assert "--force" in shown


@pytest.mark.usefixtures("untimed")
def test_ctrl_c_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, train = tmp_path / "out", trial.train
    command = ["compare", "recall:2", "--cells", "rnn", "--seeds", "2", *TINY]

    def stopped(options: Any, folder: Path, **more: Any) -> Any:
        if options.seed == 1:
            raise KeyboardInterrupt("stopped")
        return train(options, folder, **more)

    with monkeypatch.context() as patched:
        patched.setattr(trial, "train", stopped)
        assert run([*command, "--out", str(out)]) == 130
        assert f"what is done is kept in {out}" in capsys.readouterr().err
        assert run(command) == 130
        assert "nothing is kept: with --out DIR" in capsys.readouterr().err
    assert run([*command, "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert "trained before" in shown.err
    assert "gradient left" in shown.out
    assert (out / "scores.png").is_file()


@pytest.mark.usefixtures("untimed")
def test_forecasts_are_judged_one_step_ahead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--cells", "rnn", "--seeds", "1", "--max-steps", "3", "--hidden-size", "3"]
    assert run(["compare", "sunspots", *options, "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    metrics = read(out / "runs" / "rnn-seed0" / "checkpoint.json")["metrics"]["test_one_step"]
    (row,) = found["results"]
    assert row["scores"] == [metrics["model"]["sunspots"]["rmse"]]
    assert found["metric"]["name"] == "RMSE of sunspots, one step ahead"
    assert found["chance"] is None
    others = {name: of["sunspots"]["rmse"] for name, of in metrics.items() if name != "model"}
    assert others
    assert found["baselines"] == [{"steps": None, **others}]
    assert len(row["gradient"]["trained"]) == 12


@pytest.mark.usefixtures("untimed")
def test_two_directions_have_no_gradient_that_reaches_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.toml"
    config.write_text('data = "recall:2"\nbidirectional = true\n')
    options = ["--config", str(config), "--cells", "gru", "--seeds", "1", *TINY]
    assert run(["compare", *options, "--out", str(tmp_path / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["results"][0]["gradient"] is None
    assert not (tmp_path / "out" / "gradients.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["recall", "--steps", "5,x"], "--steps must be whole numbers with commas"),
        (["recall", "--cells", "rnn,lstn"], "--cells are of lstm, gru, rnn"),
        (["recall:5", "--steps", "5"], "leave out one of them"),
        (["nowhere.csv", "--cells", "rnn"], "nowhere.csv"),
        ([], "no data"),
    ],
)
def test_bad_use_is_one_message(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(["compare", *arguments]) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert "Traceback" not in shown.err
    assert not shown.out


def test_a_folder_of_something_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    for force in ([], ["--force"]):
        assert run(["compare", "recall:2", "--out", str(tmp_path), *TINY, *force]) == 2
        assert "holds other files (mine.txt)" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt"]
