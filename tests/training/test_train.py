"""Whole runs: what a run folder holds, and that it can be repeated."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstm_export.checkpoint import is_run, read_checkpoint
from lstm_export.errors import DataError, OptionError, OutputError
from lstm_export.nn.build import build
from lstm_export.training import train as train_module
from lstm_export.training.batches import WindowBatches
from lstm_export.training.config import resolve
from lstm_export.training.flat import FusedAdam
from lstm_export.training.loop import Loop
from lstm_export.training.options import TrainOptions
from lstm_export.training.prepare import prepare
from lstm_export.training.train import train

Tiny = Callable[..., TrainOptions]

FILES = (
    "run.toml",
    "checkpoint.json",
    "model.safetensors",
    "metrics.jsonl",
    "predictions.csv",
    "training_state.safetensors",
)


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir()}


def test_the_same_seed_gives_the_same_bytes(tiny: Tiny, tmp_path: Path) -> None:
    train(tiny(dropout=0.2), tmp_path / "a")
    torch.rand(3)  # what the process has drawn before must not matter
    train(tiny(dropout=0.2), tmp_path / "b")
    train(tiny(dropout=0.2, seed=1), tmp_path / "c")
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert sorted(a) == sorted(FILES)
    assert a == b
    assert a["model.safetensors"] != c["model.safetensors"]


def test_the_stored_options_repeat_the_run(tiny: Tiny, tmp_path: Path) -> None:
    train(tiny(difference=1, unit={"x": "m"}), tmp_path / "a")
    train(resolve({}, tmp_path / "a" / "run.toml"), tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_torch_is_left_as_it_was(tiny: Tiny, tmp_path: Path) -> None:
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    train(tiny(), tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_terms_come_from_the_training_part_alone(tiny: Tiny, tmp_path: Path) -> None:
    result = train(tiny(difference=2, features="all", unit={"x": "m"}), tmp_path / "run")
    terms = result.description.forecaster
    rows = round(140 * 0.65)
    values = result.series.values[:rows]
    assert [column.name for column in terms.features] == ["x", "y"]
    assert terms.features[0].unit == "m"
    assert [column.maximum for column in terms.features] == values.max(axis=0).tolist()
    steps = values[2:] - values[:-2]
    np.testing.assert_allclose(terms.input_scaling.offset, steps.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(terms.input_scaling.scale, steps.std(axis=0), rtol=1e-6)
    assert terms.target_scaling.scale[0] == terms.input_scaling.scale[0]


@pytest.mark.parametrize("horizon", [1, 3])
def test_metrics_are_those_of_the_stored_model(tiny: Tiny, tmp_path: Path, horizon: int) -> None:
    run = tmp_path / "run"
    description = train(tiny(difference=1, horizon=horizon), run).description
    model = build(read_checkpoint(run))
    values = np.genfromtxt(tiny().data, delimiter=",", names=True)["x"][:, None]
    history, first = 7, 112  # 28 rows of 140 test
    starts = range(first - history, 140 - history - horizon + 1)
    x = torch.tensor(np.stack([values[s : s + history] for s in starts]), dtype=torch.float32)
    truth = np.stack([values[s + history : s + history + horizon] for s in starts])
    with torch.no_grad():
        error = model(x).double().numpy() - truth
    metrics = description.metrics
    assert metrics["test"]["model"]["x"]["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert metrics["test"]["model"]["x"]["mae"] == pytest.approx(np.mean(np.abs(error)))
    one = metrics["test_one_step"]["model"]["x"]["rmse"]
    assert one == pytest.approx(np.sqrt(np.mean(error[:, 0] ** 2)))
    assert list(metrics["test"]) == ["model", "naive", "seasonal naive", "drift"]
    assert metrics["windows"]["test"] == len(starts)
    with (run / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(starts)
    np.testing.assert_allclose([float(r["x truth"]) for r in rows], truth[:, 0, 0])
    got = [float(row["x prediction"]) - float(row["x truth"]) for row in rows]
    np.testing.assert_allclose(got, error[:, 0, 0], atol=1e-6)
    naive = [float(row["x naive"]) for row in rows]
    np.testing.assert_allclose(naive, values[first - 1 : first - 1 + len(rows), 0])


@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "gru", "num_layers": 2, "dropout": 0.1},
        {"cell": "rnn", "bidirectional": True, "schedule": "cosine"},
        {"proj_size": 2, "init": "chrono", "clip_value": 0.1, "schedule": "plateau"},
        {"target": ("x", "y"), "horizon": 2, "scaler": "minmax", "init": "torch"},
        {"target": "x", "features": "y", "scaler": "none", "weight_decay": 0.1},
        {"validation": 0.0, "max_steps": 3},
        {"warm_up": 0, "horizon": 3, "ema": 0.0, "input_noise": 0.2},
        {"bidirectional": True, "proj_size": 2, "warm_up": 5},
    ],
)
def test_every_kind_of_model_trains(tiny: Tiny, tmp_path: Path, changes: dict[str, Any]) -> None:
    train(tiny(**changes), tmp_path / "run")
    build(read_checkpoint(tmp_path / "run"))


def test_the_best_weights_are_restored(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([3.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    seen = []

    def validate(loop: Loop) -> float:
        seen.append(loop._average.clone())
        return next(losses)

    monkeypatch.setattr(Loop, "_validate", validate)
    result = train(tiny(epochs=50, patience=3), tmp_path / "run")
    assert (result.best_epoch, result.description.metrics["epochs"]) == (2, 5)
    stored = read_checkpoint(tmp_path / "run").weights
    flat = np.concatenate([stored[name].ravel() for name, _ in build_parameters(tmp_path)])
    np.testing.assert_array_equal(flat, seen[1])
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["validation_loss"] for line in lines] == [3.0, 1.0, 2.0, 2.0, 2.0]


def build_parameters(folder: Path) -> list[tuple[str, torch.nn.Parameter]]:
    return list(build(read_checkpoint(folder / "run")).named_parameters())


@pytest.mark.parametrize("changes", [{"ema": 0.0}, {"ema": 0.9}])
def test_the_kept_weights_are_the_average(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    passed, after = [], FusedAdam.step

    def step(adam: FusedAdam, *rates: float) -> None:
        if not passed:
            passed.append(adam._values.clone())
        after(adam, *rates)
        passed.append(adam._values.clone())

    monkeypatch.setattr(FusedAdam, "step", step)
    train(tiny(validation=0.0, **changes), tmp_path / "run")
    expected = passed[0]
    for number, weights in enumerate(passed[1:], 1):
        keep = min(changes["ema"], (1 + number) / (10 + number))
        expected = keep * expected + (1 - keep) * weights
    assert len(passed) > 20
    stored = read_checkpoint(tmp_path / "run").weights
    flat = np.concatenate([stored[name].ravel() for name, _ in build_parameters(tmp_path)])
    np.testing.assert_allclose(flat, expected, rtol=1e-5, atol=1e-7)


def test_validation_judges_the_average(tiny: Tiny, tmp_path: Path) -> None:
    result = train(tiny(warm_up=0, epochs=1), tmp_path / "run")
    model = build(read_checkpoint(tmp_path / "run"))
    prepared = prepare(tiny())
    starts = torch.from_numpy(prepared.starts.validation)
    rows = (torch.from_numpy(prepared.inputs), torch.from_numpy(prepared.targets))
    ((x, y),) = WindowBatches(*rows, starts, prepared.forecast.window).batches(1000)
    with torch.no_grad():
        loss = torch.nn.functional.mse_loss(model.scaled(x), y)
    assert result.description.metrics["validation_loss"] == pytest.approx(float(loss), rel=1e-5)


def test_two_directions_learn_from_the_last_step_alone(tiny: Tiny, tmp_path: Path) -> None:
    train(tiny(bidirectional=True), tmp_path / "a")
    train(tiny(bidirectional=True, warm_up=5), tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert resolve({}, tmp_path / "a" / "run.toml").warm_up == 5


def test_the_warm_up_is_a_quarter_of_the_context(tiny: Tiny, tmp_path: Path) -> None:
    train(tiny(), tmp_path / "a")
    train(tiny(warm_up=1), tmp_path / "b")
    train(tiny(warm_up=5), tmp_path / "last")
    a, b, last = (contents(tmp_path / name) for name in ("a", "b", "last"))
    assert a == b
    assert a["model.safetensors"] != last["model.safetensors"]


def test_noise_is_repeatable_and_the_same_for_shards(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = tiny(input_noise=2.0)
    for name, shards in (("a", 1), ("b", 1), ("c", 2), ("d", 2)):
        monkeypatch.setattr(train_module, "shards_for", lambda *arguments, n=shards: n)
        train(options, tmp_path / name)
    train(tiny(), tmp_path / "without")
    a, b, c, d = (contents(tmp_path / name) for name in "abcd")
    assert a == b
    assert c == d
    weights, shared = (read_checkpoint(tmp_path / name).weights for name in "ac")
    quiet = read_checkpoint(tmp_path / "without").weights
    for name, values in weights.items():
        np.testing.assert_allclose(values, shared[name], rtol=0, atol=1e-4)
    assert not np.allclose(weights["head.weight"], quiet["head.weight"], rtol=0, atol=1e-2)


def test_a_loss_that_is_no_number_stops_the_run(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"diverged.*--lr \(now 1e\+30\)"):
        train(tiny(lr=1e30, clip_norm=0.0, epochs=50), tmp_path / "run")
    assert not is_run(tmp_path / "run")


def test_options_that_do_not_suit_the_data(tiny: Tiny, tmp_path: Path) -> None:
    for changes, error, message in (
        ({"unit": {"z": "m"}}, OptionError, "'z' is neither"),
        ({"target": "x", "features": "y", "difference": 1}, OptionError, "--difference 1"),
        ({"context_length": 200}, DataError, "200 of context"),
        ({"target": "xx"}, DataError, "xx"),
        ({"precision": "bf16-mixed"}, OptionError, "--precision bf16-mixed.*--device cuda"),
    ):
        with pytest.raises(error, match=message):
            train(tiny(**changes), tmp_path / "run")
        assert not is_run(tmp_path / "run")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--device cuda"):
        train(tiny(device="cuda"), tmp_path / "run")
    train(tiny(device="auto"), tmp_path / "run")


@pytest.mark.slow
def test_memory_grows_with_the_series_and_not_with_its_windows() -> None:
    command = [sys.executable, "benchmarks/training_memory.py", "--rows", "800000"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([*command, "--steps", "5"], cwd=root, check=True, capture_output=True)
    result = json.loads(done.stdout)
    assert result["windows_as_copies_mib"] > 1500
    # Torch and this package take some 350 MiB before there is any data.
    assert result["peak_rss_mib"] < 750


def test_what_exists_is_kept(tiny: Tiny, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(tiny(), run)
    before = contents(run)
    with pytest.raises(OutputError, match=r"finished.*--resume.*--force"):
        train(tiny(seed=1), run)
    with pytest.raises(DataError):
        train(tiny(target="nonsense"), run, force=True)
    assert contents(run) == before
    train(tiny(seed=1), run, force=True)
    assert contents(run) != before


def test_a_folder_of_other_files_is_never_replaced(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(OutputError, match=r"thesis\.tex|wave\.csv"):
        train(tiny(), tmp_path, force=True)
    with pytest.raises(OutputError, match="is a file"):
        train(tiny(), tmp_path / "thesis.tex", force=True)
