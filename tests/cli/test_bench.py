"""`lstm-export bench`: what it says, as text and as JSON, what it keeps, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lstm_export.cli.main import run
from lstm_export.runtime.settings import Settings

SHORT = ["--seconds", "0.001", "--batch", "2"]

pytestmark = pytest.mark.usefixtures("brief_timing")


@pytest.fixture(autouse=True)
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LSTM_EXPORT_CACHE", str(folder))
    return folder


def test_a_table_and_a_file(
    made: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    arguments = ["bench", str(made.bundle), *SHORT, "--against", str(made.run), "--out", str(out)]
    assert run(arguments) == 0
    captured = capsys.readouterr()
    assert "sequences, batch 2, length 6" in captured.out
    assert "÷ ours" in captured.out
    assert "missing: OpenVINO, float32: openvino is not installed" in captured.out
    assert "note:" not in captured.out  # the run's own weights: every answer agrees
    assert captured.err == f"wrote {out}\n"
    document = json.loads(out.read_text(encoding="utf-8"))
    assert set(document) == {
        *("path", "kind", "measurements", "notes", "peak", "processor", "versions")
    }
    sequences = document["measurements"][0]
    assert set(sequences) == {
        *("use", "batch", "length", "timings", "floor", "missing", "flops", "times_the_floor")
    }
    assert set(sequences["timings"][0]) == {"name", "seconds", "ratio", "difference"}
    eager = next(one for one in sequences["timings"] if one["name"].startswith("torch"))
    assert set(eager["ratio"]) == {"value", "low", "high", "confidence", "count"}
    assert eager["difference"] < 1e-3
    assert run(arguments) == 2  # the file is there
    assert "exists already" in capsys.readouterr().err


def test_tuning_is_kept_outside_the_bundle_and_forgotten(
    made: SimpleNamespace,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Several threads each would wait for those of the tests beside this one.
    single = Settings(intra_op_num_threads=1, shards=1)
    monkeypatch.setattr("lstm_export.bench.tune.candidates", lambda batch: [single])
    before = {path: path.read_bytes() for path in made.bundle.iterdir()}
    assert run(["bench", str(made.bundle), "--tune", *SHORT, "--length", "6", "--json"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert captured.err == ""
    assert set(document) == {"path", "machine", "file", "classes", "kept"}
    (found,) = document["classes"]
    assert set(found) == {*("shape_class", "batch", "length", "settings", "gain", "tried")}
    assert Path(document["file"]).is_file()
    assert Path(document["file"]).is_relative_to(cache)
    assert {path: path.read_bytes() for path in made.bundle.iterdir()} == before
    assert run(["bench", str(made.bundle), "--tune", *SHORT]) == 0
    assert f"kept in {document['file']}" in capsys.readouterr().out
    for expected in (f"removed {document['file']}", f"nothing was kept for {made.bundle}"):
        assert run(["bench", str(made.bundle), "--forget"]) == 0
        assert capsys.readouterr().out == f"{expected}\n"


def test_bad_use(
    made: SimpleNamespace, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(made.bundle)
    for arguments, message in (
        ([str(tmp_path / "absent")], "there is no bundle or ONNX file at"),
        ([str(made.data)], "is not a whole ONNX model"),
        ([bundle, "--batch", "0"], "--batch must be an integer ≥ 1, got 0"),
        ([bundle, "--batch", "1,,2"], "--batch 1,,2: expected integers separated by commas"),
        ([bundle, "--length", "long"], "--length long: expected integers"),
        ([bundle, "--length", "1"], "--length 1: the model needs at least 2 steps"),
        ([bundle, "--horizon", "0"], "--horizon must be an integer ≥ 1, got 0"),
        ([bundle, "--seconds", "0"], "--seconds must be a number above 0, got 0"),
        ([bundle, "--seconds", "nan"], "--seconds must be a number above 0"),
        ([bundle, "--against", str(tmp_path)], "that folder is no training run"),
        ([bundle, "--tune", "--forget"], "--tune and --forget together"),
        ([bundle, "--tune", "--against", str(made.run)], "--against makes no sense with --tune"),
        ([bundle, "--forget", "--batch", "1"], "--batch makes no sense with --forget"),
        ([bundle, "--tune", "--batch", "4,5"], "are of one class, batch 4, length 4"),
        ([bundle, "--out", str(made.bundle / "x.json")], "into which only export writes"),
        ([bundle, "--out", str(tmp_path)], "is a folder, expected a file"),
    ):
        assert run(["bench", *arguments]) == 2, arguments
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1, captured.err
        assert message in captured.err
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_told_before_measuring(
    made: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LSTM_EXPORT_CACHE", str(made.data))
    assert run(["bench", str(made.bundle), "--tune", "--seconds", "1000"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "cannot write" in captured.err
    assert "LSTM_EXPORT_CACHE names another folder" in captured.err
