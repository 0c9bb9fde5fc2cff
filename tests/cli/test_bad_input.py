"""Bad tables, runs and bundles: one message, exit code 2, and nothing left behind."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lstm_export.checkpoint import read_checkpoint, write_checkpoint
from lstm_export.cli.main import run

ROWS = "".join(f"{2000 + i},{i % 7}\n" for i in range(40))
TINY = ["--epochs", "1", "--hidden-size", "2", "--context-length", "4"]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", "", "is empty"),
        ("year,v\n", "", "no rows"),
        (f"year,v\n{ROWS}2040,abc\n", "--target v", "'abc'"),
        (f"year,v\n{ROWS}", "--target w", "no column 'w'"),
        (f"year,level\n{ROWS}", "--target levle", "did you mean 'level'?"),
        (f"year,v\n{ROWS[:28]}", "", "no window fits"),
        ("year,v\n" + "".join(f"{i},5\n" for i in range(40)), "", "the same value"),
        (
            "year,v\n" + "".join(f"{i},{i}\n" for i in range(40)),
            "--difference 1",
            "the same difference over 1 row ",
        ),
        (f"year,v\n{ROWS}2040,nan\n", "", "missing values: 1"),
        (f"year,v\n{ROWS}2040,inf\n", "", "1 infinite value"),
        (f"year,v\n1999,1e39\n{ROWS}", "", "use another unit"),
        (f"year,v\n{ROWS}", "--horizon 0", "--horizon must be at least 1"),
        (f"year,v\n{ROWS}2040,1,2\n", "", "found 3 fields"),
        (f"year,v,v\n{ROWS}", "", "more than one column is named v"),
        (f'year,v\n"2000,1\n{ROWS}', "", "never closed"),
        (gzip.compress(ROWS.encode()), "", "gzip"),
        (f"year,v\n{ROWS}", "--device tpu", "--device must be one of"),
        (f"year,v\n{ROWS}", "--precision 8", "--precision must be one of"),
    ],
)
def test_training_is_refused_before_anything_is_written(
    tmp_path: Path,
    content: str | bytes,
    options: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, out = tmp_path / "d.csv", tmp_path / "run"
    data.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert run(["train", str(data), "--out", str(out), *TINY, *options.split()]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not out.exists()


def test_any_column_name_goes_the_whole_way(
    made: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(made.bundle)]) == 0
    assert run(["inspect", str(made.run)]) == 0
    plot = tmp_path / "plot.svg"
    capsys.readouterr()
    arguments = ["predict", str(made.bundle), str(made.data), "--plot", str(plot), "--json"]
    assert run(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["targets"]) == [made.target]
    assert [row["year"] for row in document["rows"]] == ["2010"]
    report = (made.run / "report.html").read_text(encoding="utf-8")
    assert "<b>&amp;</b>" not in report


def test_a_backtest_repeats_the_runs_own_test(
    made: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["predict", str(made.bundle), str(made.data), "--backtest", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    metrics = read_checkpoint(made.run).description.metrics
    (target, expected) = next(iter(metrics["test"]["model"].items()))
    tested = rows[-metrics["windows"]["test"] :]
    off = np.array([row[f"{target}_forecast"] - row[target] for row in tested])
    assert np.sqrt(np.mean(off**2)) == pytest.approx(expected["rmse"], rel=1e-5)


DAMAGE = {
    "truncated": lambda body: body[: len(body) // 2],
    "flipped": lambda body: body[:-40] + bytes([body[-40] ^ 4]) + body[-39:],
    "empty": lambda body: b"",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "stream.onnx", "golden.npz"])
def test_a_damaged_bundle(
    made: SimpleNamespace,
    tmp_path: Path,
    name: str,
    damage: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = shutil.copytree(made.bundle, tmp_path / "bundle")
    body = (bundle / name).read_bytes()
    (bundle / name).write_bytes(DAMAGE[damage](body))
    capsys.readouterr()
    assert run(["inspect", str(bundle)]) == 2
    assert name in capsys.readouterr().err
    assert run(["verify", str(bundle)]) == 1
    assert name in capsys.readouterr().out
    # A forecast reads no more than it needs.
    needed = name in ("manifest.json", "model.onnx")
    assert run(["predict", str(bundle), str(made.data)]) == (2 if needed else 0)


@pytest.mark.parametrize("damage", [*DAMAGE, "newer", "nan"])
@pytest.mark.parametrize("name", ["checkpoint.json", "model.safetensors"])
def test_a_damaged_run(
    made: SimpleNamespace,
    tmp_path: Path,
    name: str,
    damage: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained, out = shutil.copytree(made.run, tmp_path / "run"), tmp_path / "bundle"
    file = trained / name
    if damage in DAMAGE:
        file.write_bytes(DAMAGE[damage](file.read_bytes()))
    elif damage == "newer":
        description = trained / "checkpoint.json"
        document = json.loads(description.read_text(encoding="utf-8"))
        description.write_text(json.dumps({**document, "format_version": 99}))
    else:
        checkpoint = read_checkpoint(trained)
        weights = {
            key: np.where(value > 0, np.nan, value) for key, value in checkpoint.weights.items()
        }
        write_checkpoint(trained, checkpoint.description, weights)
    commands = [["export", trained, "--out", out], ["verify", made.bundle, "--against", trained]]
    if damage != "nan":
        commands += [["inspect", trained]]
    for command in commands:
        capsys.readouterr()
        assert run([str(argument) for argument in command]) == 2
        captured = capsys.readouterr()
        assert "checkpoint" in captured.err or name in captured.err
        assert captured.out == ""
    assert not out.exists()
