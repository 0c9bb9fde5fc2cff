"""`lstm-export explain`: a table on stdout, a page, images and JSON; errors in one message."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstm_export.bundle.read import open_bundle
from lstm_export.cli.main import run
from lstm_export.data.write import csv_text

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
WEATHER = str(ARTIFACTS / "weather" / "bundle")
TABLE = str(ARTIFACTS / "weather" / "weather.csv")


def test_the_table_says_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", WEATHER, TABLE]) == 0
    shown = capsys.readouterr().out
    assert "layer 1: LSTM, 8 units (model.recurrent.0)" in shown
    for words in ("forget gate at 0", "memory:", "answer: as in the runtime, error"):
        assert words in shown


def test_json_has_the_keys_that_help_names(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page, images = tmp_path / "explain.html", tmp_path / "images"
    options = ["--json", "--rows", "30", "--out", str(page), "--png", str(images)]
    assert run(["explain", WEATHER, TABLE, *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert run(["explain", "--help"]) == 0
    told = capsys.readouterr().out
    (layer,) = found["layers"]
    for key in (*found, *layer, "near_zero", "rms_chosen", "relative"):
        assert key in told
    assert found["passed"] is True
    assert found["steps"] == 30
    assert set(layer["gates"]) == {"forget", "input", "output"}
    assert len(layer["memory"]["units"]) == 8
    assert sorted(map(str, images.iterdir())) == sorted(found["png"])
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in found["png"])
    text = page.read_text(encoding="utf-8")
    assert "The equations give the runtime" in text
    # The heat maps are within the page: nothing is fetched.
    assert 'href="data:image/png;base64,' in text
    assert "http://" not in text.replace("http://www.w3.org/", "")

    assert run(["explain", WEATHER, TABLE, "--out", str(page)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert run(["explain", WEATHER, TABLE, "--rows", "30", "--png", str(images)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_numbers_that_disagree_are_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstm_export.explain import layer

    monkeypatch.setitem(layer._ORDER, "lstm", (0, 1, 2, 3))
    assert run(["explain", WEATHER, TABLE]) == 1
    assert "Y: NOT as in the runtime: " in capsys.readouterr().out


def test_a_chosen_window_is_a_window(capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for index in ("0", "-1"):
        assert run(["explain", WEATHER, TABLE, "--json", "--index", index]) == 0
        found[index] = json.loads(capsys.readouterr().out)
    assert run(["explain", WEATHER, TABLE, "--json"]) == 0
    last = json.loads(capsys.readouterr().out)
    assert last["layers"] == found["-1"]["layers"]
    assert last["layers"] != found["0"]["layers"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([WEATHER, TABLE, "--index", "9999"], "--index 9999: there are"),
        ([WEATHER, TABLE, "--index", "1", "--rows", "30"], "give one"),
        ([WEATHER, TABLE, "--rows", "1"], "takes at least 2 rows"),
        ([WEATHER, TABLE, "--series", "a"], "tell them by --series-id"),
        ([WEATHER, TABLE, "--layer", "2"], "has 1 recurrent layers"),
        ([WEATHER, "sunspots"], "no column"),
        ([WEATHER, TABLE, "--out", f"{WEATHER}/explain.html"], "into which only export writes"),
        (["nowhere", TABLE], "there is no bundle or ONNX file at nowhere"),
    ],
)
def test_bad_use_is_one_message(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(["explain", *arguments]) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert "Traceback" not in shown.err
    assert not shown.out


def test_modules_take_arrays_by_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    states = str(ARTIFACTS / "states" / "bundle")
    archive, plain = tmp_path / "in.npz", tmp_path / "in.npy"
    np.savez(archive, x=rng.normal(size=(3, 7, 3)), initial_h=rng.normal(size=(2, 3, 6)))
    np.save(plain, rng.normal(size=(7, 3)))
    for data, sequences in ((archive, 3), (plain, 1)):
        assert run(["explain", states, str(data), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["steps"], found["sequences"], len(found["layers"])) == (7, sequences, 2)
    np.savez(archive, z=np.zeros((3, 7, 3)))
    assert run(["explain", states, str(archive)]) == 2
    assert "expected the inputs x, initial_h, got z" in capsys.readouterr().err
    np.savez(archive, x=np.zeros((3, 7, 4)))
    assert run(["explain", states, str(archive)]) == 2
    assert "x: expected x: float32 (batch, sequence_length, 3)" in capsys.readouterr().err
    plain.write_bytes(b"no array")
    assert run(["explain", states, str(plain)]) == 2
    assert "is not a readable .npy file" in capsys.readouterr().err


def test_ids_are_explained_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", np.array([1, 4, 0, 3, 2]))
    page = tmp_path / "ids.html"
    tokens = str(ARTIFACTS / "tokens" / "bundle")
    assert (
        run(["explain", tokens, str(tmp_path / "ids.npy"), "--layer", "1", "--out", str(page)]) == 0
    )
    assert page.is_file()
    capsys.readouterr()


def test_sequences_are_chosen_by_their_names(
    capsys: pytest.CaptureFixture[str], make_sequences: Callable[..., Path], tmp_path: Path
) -> None:
    bundle = str(make_sequences("classify", bidirectional=True, pooling="mean") / "bundle")
    lengths = {"a": 4, "b": 6, "c": 6}
    ids = [name for name, rows in lengths.items() for _ in range(rows)]
    values = np.random.default_rng(1).normal(size=(len(ids), 3)).round(3).T.tolist()
    terms = open_bundle(bundle).manifest.sequences
    assert terms is not None
    names = [column.name for column in terms.features]
    data = tmp_path / "long.csv"
    data.write_text(csv_text({"id": ids, **dict(zip(names, values, strict=True))}))
    options = ["--series-id", "id", "--json"]
    steps = {}
    for chosen in (["--series", "b"], ["--index", "1"], ["--index", "0"]):
        assert run(["explain", bundle, str(data), *options, *chosen]) == 0
        found = json.loads(capsys.readouterr().out)
        steps[" ".join(chosen)] = found["steps"]
        assert found["sequences"] == 3
        directions = [layer["direction"] for layer in found["layers"]]
        assert directions == ["forward", "backward"] * 2
    assert steps == {"--series b": 6, "--index 1": 6, "--index 0": 4}
    for wrong, words in (
        (["--series", "z"], "--series 'z' is not in the table; it has a, b, c"),
        (["--index", "3"], "there are 3 sequences"),
        (["--text", "id"], "leave out --series-id"),
    ):
        assert run(["explain", bundle, str(data), *options, *wrong]) == 2
        assert words in capsys.readouterr().err
    assert run(["explain", bundle, str(data)]) == 2
    assert "--series-id" in capsys.readouterr().err


def test_texts_are_explained_symbol_by_symbol(
    capsys: pytest.CaptureFixture[str], make_sequences: Callable[..., Path], tmp_path: Path
) -> None:
    bundle = str(make_sequences("tag", text=True) / "bundle")
    data, page = tmp_path / "texts.csv", tmp_path / "page.html"
    data.write_text("words\na b <i> c\nb b\n")
    assert run(["explain", bundle, str(data)]) == 2
    assert "name their column with --text" in capsys.readouterr().err
    options = ["--text", "words", "--json", "--layer", "1", "--out", str(page)]
    assert run(["explain", bundle, str(data), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["task"], found["sequences"], found["passed"]) == ("tag", 2, True)
    assert "symbols</text>" in page.read_text(encoding="utf-8")


def test_a_damaged_bundle_is_not_explained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(WEATHER, tmp_path / "bundle")
    model = tmp_path / "bundle" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\x01")
    assert run(["explain", str(tmp_path / "bundle"), TABLE]) == 2
    assert "was changed" in capsys.readouterr().err


def test_neither_torch_nor_onnx_is_needed() -> None:
    absent = ("torch", "onnx", "matplotlib", "jinja2", "polars")
    code = (
        f"import sys\nsys.modules.update(dict.fromkeys({absent!r}))\n"
        "from lstm_export.cli.main import run\n"
        f"code = run(['explain', {WEATHER!r}, {TABLE!r}])\n"
        f"sys.exit(code or run(['explain', {WEATHER!r}, {TABLE!r}, '--out', 'page.html']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "answer: as in the runtime" in done.stdout
    assert done.returncode == 2
    assert "pip install 'lstm-export[report]'" in done.stderr
