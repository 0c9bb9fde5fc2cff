"""Training to classify, regress and tag: what is fitted on what, and how it goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_export.checkpoint import read_checkpoint
from lstm_export.data.write import csv_text
from lstm_export.errors import CheckpointError, DataError, OptionError
from lstm_export.nn.build import build, build_sequence_model
from lstm_export.training import loop
from lstm_export.training.options import TrainOptions
from lstm_export.training.prepare_sequences import prepare_sequences
from lstm_export.training.shards import Shards
from lstm_export.training.train import train

SEQUENCES = 40


@pytest.fixture(scope="module")
def long_table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Ragged sequences of two features: `label` says which mean a has, `side` whether b is above
    it, `size` is the sum of a."""
    rng = np.random.default_rng(0)
    rows: dict[str, list[object]] = {n: [] for n in ("id", "t", "a", "b", "label", "side", "size")}
    for i in range(SEQUENCES):
        length = int(rng.integers(2, 7))
        a, b = rng.normal(5.0 if i % 2 else -5.0, 1.0, length), rng.normal(0.0, 100.0, length)
        for t in range(length):
            side = "above" if b[t] > 0 else "below"
            label = "high, é" if i % 2 else "low"
            cells = (f"s{i}", t, a[t], b[t], label, side, a.sum())
            for name, cell in zip(rows, cells, strict=True):
                rows[name].append(cell)
    path = tmp_path_factory.mktemp("sequences") / "long.csv"
    path.write_text(csv_text(rows), encoding="utf-8")
    return str(path)


def options(data: str, **more: Any) -> TrainOptions:
    terms = {
        "task": "classify",
        "target": ("label",),
        "features": ("a", "b"),
        "series_id": "id",
        "time": "t",
        "hidden_size": 8,
        "epochs": 4,
        "batch_size": 8,
        "patience": 0,
    }
    return TrainOptions(data=data, **{**terms, **more})


def test_scaling_and_classes_are_those_of_the_training_part(long_table: str) -> None:
    prepared = prepare_sequences(options(long_table))
    train_rows = prepared.train.source.values
    assert train_rows is not None
    assert np.allclose(prepared.terms.input_scaling.offset, train_rows.mean(axis=0))
    assert np.allclose(prepared.terms.input_scaling.scale, train_rows.std(axis=0))
    assert np.allclose(prepared.train.steps.mean(axis=0), 0, atol=1e-6)
    assert prepared.terms.classes == ("high, é", "low")
    parts = [
        set(part.source.names) for part in (prepared.train, prepared.validation, prepared.test)
    ]
    assert sum(map(len, parts)) == len(set().union(*parts)) == SEQUENCES


def test_every_seed_has_the_same_parts(long_table: str) -> None:
    one, other = (prepare_sequences(options(long_table, seed=seed)) for seed in (0, 7))
    assert one.test.source.names == other.test.source.names


def test_balanced_classes_weigh_one_on_average(tmp_path: Path) -> None:
    rows = {"label": ["a"] * 30 + ["b"] * 10, "t0": list(range(40)), "t1": [0, 1] * 20}
    (tmp_path / "wide.csv").write_text(csv_text(rows), encoding="utf-8")
    wide = TrainOptions(
        data=str(tmp_path / "wide.csv"),
        task="classify",
        target=("label",),
        class_weights="balanced",
    )
    prepared = prepare_sequences(wide)
    assert prepared.class_weights is not None
    counts = np.bincount(prepared.train.truth)
    assert counts @ prepared.class_weights == pytest.approx(counts.sum())
    assert prepared.class_weights[1] > 2 * prepared.class_weights[0]


def test_labels_in_order_of_their_numbers(tmp_path: Path) -> None:
    names = [str(i) for i in (10, 9, 2)] * 10
    rows = {"label": names, "t0": list(range(30)), "t1": [0, 1] * 15}
    (tmp_path / "wide.csv").write_text(csv_text(rows), encoding="utf-8")
    wide = TrainOptions(data=str(tmp_path / "wide.csv"), task="classify", target=("label",))
    assert prepare_sequences(wide).terms.classes == ("2", "9", "10")


def test_a_tag_of_one_sequence_alone_is_trained_on(tmp_path: Path) -> None:
    rows = {
        "id": [i // 2 for i in range(60)],
        "x": list(range(60)),
        "side": ["left" if i % 2 else "right" for i in range(60)],
    }
    plain = options("", task="tag", target=("side",), features=("x",), time=None)
    told = []
    for rare in range(30):  # wherever the split puts it
        marked = {**rows, "side": [*rows["side"]]}
        marked["side"][2 * rare] = "rare"
        path = tmp_path / f"{rare}.csv"
        path.write_text(csv_text(marked), encoding="utf-8")
        prepared = prepare_sequences(dataclasses.replace(plain, data=str(path)))
        assert prepared.terms.classes == ("left", "rare", "right")
        assert "rare" in (prepared.train.source.labels or ())
        told.append(any("1 sequence trained on and not tested" in n for n in prepared.notes))
    assert 0 < sum(told) < 30
    everywhere = tmp_path / "all.csv"
    everywhere.write_text(
        csv_text({**rows, "side": [f"tag {i}" for i in rows["id"]]}), encoding="utf-8"
    )
    with pytest.raises(DataError, match="none is left to validate or test with"):
        prepare_sequences(dataclasses.replace(plain, data=str(everywhere)))


def test_a_test_file_of_its_own_is_the_test_part(long_table: str, tmp_path: Path) -> None:
    copy = tmp_path / "test.csv"
    copy.write_text(Path(long_table).read_text(encoding="utf-8"), encoding="utf-8")
    prepared = prepare_sequences(options(long_table, test_data=str(copy), test=0.0))
    assert len(prepared.test) == SEQUENCES
    assert len(prepared.train) + len(prepared.validation) == SEQUENCES
    strange = copy.read_text(encoding="utf-8").replace("high, é", "higher")
    copy.write_text(strange, encoding="utf-8")
    with pytest.raises(DataError, match=r"'higher' of s1 never occurs in the training part"):
        prepare_sequences(options(long_table, test_data=str(copy)))


@pytest.mark.parametrize(
    ("task", "more"),
    [
        ("classify", {"target": ("label",)}),
        ("classify", {"target": ("label",), "bidirectional": True, "pooling": "max"}),
        ("regress", {"target": ("size",), "pooling": "sum"}),
        ("tag", {"target": ("side",), "cell": "gru"}),
    ],
)
def test_a_run_learns_and_keeps_what_it_was(
    long_table: str, tmp_path: Path, task: str, more: dict[str, Any]
) -> None:
    result = train(options(long_table, task=task, epochs=12, **more), tmp_path / "run")
    own, other = (result.description.metrics["test"][name] for name in ("model", _BASE[task]))
    if task == "regress":
        assert own["size"]["rmse"] < other["size"]["rmse"]
    else:
        assert own["accuracy"] > other["accuracy"]
    stored = read_checkpoint(tmp_path / "run")
    assert stored.description.task == task
    assert stored.description.forecast is None
    model = build_sequence_model(stored)
    assert model.terms == result.description.sequences
    with pytest.raises(CheckpointError, match=f"trained to {task}.*expected one that forecasts"):
        build(stored)
    header = (tmp_path / "run" / "predictions.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.startswith("sequence,step,side truth" if task == "tag" else "sequence,")


_BASE = {"classify": "majority", "tag": "majority", "regress": "mean"}


class KilledError(Exception):
    """Stands for a kill: nothing catches it."""


@pytest.mark.parametrize("cell", ["lstm", "gru-equations"])
def test_a_stopped_run_ends_like_one_that_was_not(
    long_table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    wanted = options(long_table, cell=cell)
    train(wanted, tmp_path / "whole")
    with monkeypatch.context() as patched:
        for name in ("_LOOK", "_SAVE"):
            patched.setattr(loop, name, 0.0)
        patched.setattr(loop, "_SAVE_SHARE", 1e9)
        learn, calls = Shards.learn, []

        def killed(shards: Shards, *batch: Any) -> Any:
            calls.append(None)
            if len(calls) == 6:
                raise KilledError
            return learn(shards, *batch)

        patched.setattr(Shards, "learn", killed)
        with pytest.raises(KilledError):
            train(wanted, tmp_path / "stopped")
    train(wanted, tmp_path / "stopped", resume=True)
    whole, stopped = (
        {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()}
        for name in ("whole", "stopped")
    )
    assert whole["model.safetensors"] == stopped["model.safetensors"]
    assert whole["checkpoint.json"] == stopped["checkpoint.json"]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_cell_by_its_equations_learns_as_torch_s(
    long_table: str, tmp_path: Path, cell: str
) -> None:
    losses = []
    for name in (cell, f"{cell}-equations"):
        result = train(options(long_table, cell=name, epochs=1, ema=0.0), tmp_path / name)
        losses.append(result.description.metrics["validation_loss"])
        stored = read_checkpoint(tmp_path / name)
        assert stored.description.sequence_terms.recurrent.cell == cell
        assert "recurrent.weight_hh_l0" in stored.weights
    # torch has two biases where the equations have one: Adam moves them apart by less than this.
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"horizon": 2}, "--horizon is of no use with --task classify"),
        ({"level": "character"}, "--level is for texts: name their column with --text"),
        ({"task": "tag", "pooling": "max"}, "--pooling max cannot go with --task tag"),
        ({"task": "regress", "class_weights": "balanced"}, "--class-weights is for labels"),
        ({"target": ("label", "side")}, "--task classify answers one column"),
        ({"task": "forecast", "pooling": "max"}, "--pooling is of no use with --task forecast"),
        ({"cell": "lstm-equations", "proj_size": 2}, "--proj-size 2 needs --cell lstm, got"),
        ({"cell": "rnn-equations", "init": "chrono"}, "--cell rnn-equations has none"),
    ],
)
def test_options_of_another_task_are_refused(
    long_table: str, tmp_path: Path, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(OptionError, match=told):
        train(options(long_table, **more), tmp_path / "run")
    assert not (tmp_path / "run").exists()
