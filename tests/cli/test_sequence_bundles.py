"""The commands on bundles and runs that classify, regress or tag."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstm_export.checkpoint import read_checkpoint
from lstm_export.cli.main import run
from lstm_export.runtime.answer_model import AnswerModel
from lstm_export.runtime.label_model import LabelModel
from lstm_export.runtime.load import load

Make = Callable[..., Path]


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run(arguments) == 0
    return capsys.readouterr().out


def test_inspect_tells_a_tagger_of_texts(
    make_sequences: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_sequences("tag", text=True)
    for path in (folder / "bundle", folder / "run", folder / "bundle" / "model.onnx"):
        text = told(["inspect", str(path)], capsys)
        for expected in (
            "3 words, in lower case: 'the cat sat'",
            "3 of label, for every step: x, y, z|z",
            "LSTM, 2 layers of 5",
        ):
            assert expected in text
        document = json.loads(told(["inspect", str(path), "--json"], capsys))
        weights = read_checkpoint(folder / "run").weights.values()
        assert document["parameters"] == sum(weight.size for weight in weights)
        assert document["task"] == "tag"
        assert document["sequences"]["classes"] == ["x", "y", "z|z"]
        assert document["forecast"] is None


def test_inspect_tells_why_a_model_of_numbers_does_not_stream(
    make_sequences: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_sequences("classify", pooling="mean", bidirectional=True)
    text = told(["inspect", str(folder / "bundle")], capsys)
    assert "a (V), b (V), c (V)" in text
    assert "standard scaling; inside the graph" in text
    assert "mean over the steps" in text
    assert "no: it reads in two directions" in text


def test_example_programs_give_the_models_answers(
    make_sequences: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_sequences("classify", cell="gru") / "bundle"
    assert "ragged.c" in told(["examples", str(folder), "--out", str(tmp_path)], capsys)
    assert "a [V], b [V], c [V]" in (tmp_path / "model.py").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, tmp_path / "model.py"], capture_output=True, text=True, check=True
    )
    name, rest = done.stdout.split(" ", 1)
    assert name == "probabilities"
    answers = np.array(rest.split("]")[1].split(), np.float64).reshape(-1, 3)
    assert np.allclose(answers.sum(axis=1), 1)


@pytest.mark.usefixtures("brief_timing")
def test_bench_times_the_run_beside_the_bundle(
    make_sequences: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    folder = make_sequences("tag", text=True)
    arguments = ["bench", str(folder / "bundle"), "--seconds", "0.001", "--batch", "2"]
    arguments += ["--length", "5"]
    result = json.loads(told([*arguments, "--against", str(folder / "run"), "--json"], capsys))
    assert result["kind"] == "bundle of a run"
    whole = result["measurements"][0]
    torch = next(one for one in whole["timings"] if one["name"].startswith("torch"))
    assert torch["difference"] < 1e-5


def test_stream_answers_lines_in_the_order_of_the_features(
    make_sequences: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_sequences("classify", cell="gru") / "bundle"
    model = load(folder)
    assert isinstance(model, AnswerModel)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"c,a,b\n3,1,2\n1,0,-1\n")))
    header, *lines = told(["stream", str(folder)], capsys).splitlines()
    assert header == ("label prediction,probability of x,probability of y,probability of z|z")
    expected = model.stream().run([[1, 2, 3], [0, -1, 1]])
    cells = [line.split(",") for line in lines]
    assert [row[0] for row in cells] == [model.terms.classes[i] for i in expected.argmax(axis=1)]
    assert np.array_equal(np.array([row[1:] for row in cells], np.float32), expected)


def test_stream_reads_symbols_whose_column_nobody_named(
    make_sequences: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_sequences("tag", text=True) / "bundle"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"text\nThe\ndog\n")))
    _, *lines = told(["stream", str(folder)], capsys).splitlines()
    model = load(folder)
    assert isinstance(model, LabelModel)
    assert [line.split(",")[0] for line in lines] == model.tag("the dog")


def test_doctor_knows_its_graphs(make_sequences: Make, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(["doctor", str(make_sequences("tag", text=True) / "bundle")], capsys)
    assert "ragged.onnx" in text
    assert "probabilities: float32 (batch, sequence_length, 3)" in text
