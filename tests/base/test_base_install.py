"""What works after `pip install .` alone: NumPy, onnxruntime and typer, on a bundle of yesterday.

Nothing here may import torch, onnx, polars, matplotlib or hypothesis.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lstm_export
from lstm_export.bundle.golden import read_golden
from lstm_export.cli.main import run
from lstm_export.compare.tensors import compare
from lstm_export.errors import ChecksumError, InputError

BUNDLE = Path(__file__).resolve().parents[2] / "artifacts" / "sunspots" / "bundle"

pytestmark = pytest.mark.skipif(
    not (BUNDLE / "manifest.json").is_file(),
    reason=f"no bundle at {BUNDLE}: make artifacts",
)


@pytest.fixture(scope="module")
def model() -> Any:
    return lstm_export.load(BUNDLE)


@pytest.fixture(scope="module")
def golden() -> Any:
    content = (BUNDLE / "golden.npz").read_bytes()
    return read_golden(content, "golden.npz")


def test_calling_the_model_gives_the_golden_values(model: Any, golden: Any) -> None:
    cases = [case for case in golden if case.graph == "model.onnx"]
    assert cases
    for case in cases:
        result = compare(
            "output", model(case.inputs["x"]), case.oracle["output"], case.torch["output"]
        )
        assert result.passed, result.reason


def test_forecasting_and_streaming(model: Any, golden: Any) -> None:
    window = model.terms.window
    (x, *_) = [case.inputs["x"] for case in golden if case.inputs["x"].shape[1] >= window.history]
    ahead = model.forecast(x, horizon=11)
    assert ahead.shape == (len(x), 11, 1)
    assert np.isfinite(ahead).all()
    stream = model.stream(batch=len(x))
    steps = [stream.step(x[:, t]) for t in range(x.shape[1])]
    np.testing.assert_allclose(steps[-1], model(x), rtol=1e-4, atol=1e-3)
    with pytest.raises(InputError, match="too short"):
        model(x[:, : window.shortest - 1])


def test_lists_padded_batches_and_long_inputs(model: Any) -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(length, 1)).astype(np.float32) for length in (9, 3, 30, 4, 9)]
    alone = np.stack([model(one) for one in sequences])
    close = {"rtol": 1e-4, "atol": 1e-3}
    np.testing.assert_allclose(model(sequences), alone, **close)
    np.testing.assert_allclose(list(model.map(iter(sequences))), alone, **close)
    padded = np.full((5, 30, 1), np.nan, np.float32)
    for row, one in zip(padded, sequences, strict=True):
        row[: len(one)] = one
    np.testing.assert_allclose(model(padded, lengths=[9, 3, 30, 4, 9]), alone, **close)
    ahead = model.forecast(sequences[2], horizon=5)
    window = sequences[2][-model.terms.window.history :]
    np.testing.assert_allclose(ahead[:1], model(window), **close)
    long = rng.normal(size=(1_000_000, 1)).astype(np.float32)
    np.testing.assert_allclose(model(long), model(long[-5_000:]), **close)


def test_verifying_the_golden_values() -> None:
    assert lstm_export.verify(BUNDLE).passed


@pytest.mark.parametrize(
    "command",
    [
        *(["verify"], ["inspect"], ["doctor", "--for", "onnxruntime,chromium"]),
        ["bench", "--batch", "1", "--seconds", "0.05"],
    ],
)
def test_commands_on_the_bundle(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, str(BUNDLE), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_streaming_lines(
    model: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.arange(20, dtype=np.float32)
    text = "sunspots\n" + "".join(f"{value}\n" for value in rows.tolist())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert run(["stream", str(BUNDLE)]) == 0
    answers = [row["sunspots"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))]
    expected = model.stream().run(rows)[:, 0, 0]
    np.testing.assert_allclose(
        [float(answer) if answer else np.nan for answer in answers], expected, rtol=1e-4, atol=1e-3
    )
    pool = model.pool(2)
    slot = pool.join()
    moved = model.stream()
    for value in rows:
        pool.step({slot: value})
    moved.restore(pool.snapshot(slot))
    np.testing.assert_allclose(moved.step(1.0), pool.step({slot: 1.0})[slot], rtol=1e-4, atol=1e-3)


def test_predicting_an_embedded_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", str(BUNDLE), "sunspots", "--horizon", "3"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["year"] for row in rows] == ["2009", "2010", "2011"]
    out = tmp_path / "replayed.csv"
    assert run(["predict", str(BUNDLE), "sunspots", "--backtest", "--out", str(out)]) == 0
    assert out.read_text().startswith("year,sunspots,sunspots_forecast\n")


@pytest.mark.parametrize(
    ("arguments", "extra", "package"),
    [
        (["--out", "forecast.parquet"], "tables", "polars"),
        (["--plot", "forecast.png"], "report", "matplotlib"),
    ],
)
def test_what_needs_an_extra_says_which(
    arguments: list[str],
    extra: str,
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.chdir(tmp_path)
    assert run(["predict", str(BUNDLE), "sunspots", *arguments]) == 2
    assert f"lstm-export[{extra}]" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_edited_bundle_is_refused(tmp_path: Path) -> None:
    copy = shutil.copytree(BUNDLE, tmp_path / "bundle")
    body = bytearray((copy / "model.onnx").read_bytes())
    body[len(body) // 2] ^= 1
    (copy / "model.onnx").write_bytes(body)
    with pytest.raises(ChecksumError, match=r"model\.onnx was changed"):
        lstm_export.load(copy)


def test_memory_of_a_first_prediction() -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is read from /proc")
    peak = (
        "status = open('/proc/self/status').read().split();"
        "print(int(status[status.index('VmHWM:') + 1]) / 1024)"
    )
    ours = (
        "import sys, lstm_export; model = lstm_export.load(sys.argv[1]);"
        "model([[0.0]] * model.terms.window.history);"
    )
    bare = (
        "import sys, numpy, onnxruntime;"
        "session = onnxruntime.InferenceSession(sys.argv[1] + '/model.onnx');"
    )
    memory, least = (
        float(subprocess.check_output([sys.executable, "-c", code + peak, str(BUNDLE)], text=True))
        for code in (ours, bare)
    )
    # Of files just installed the kernel maps larger pieces: that counts for a bare session too.
    assert memory <= max(60, least + 5)
