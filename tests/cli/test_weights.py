"""Somebody's weights on the command line: inspect, export, and what bad files get."""

from __future__ import annotations

import json
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lstm_export.cli.main import run

Capture = pytest.CaptureFixture[str]
NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.emb = nn.Embedding(9, 3)
        self.rnn = nn.LSTM(3, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 2)

    def forward(self, tokens):
        return self.fc(self.rnn(self.emb(tokens))[0].mean(1))
"""


def state() -> dict[str, Tensor]:
    torch.manual_seed(3)
    emb, rnn, fc = nn.Embedding(9, 3), nn.LSTM(3, 4), nn.Linear(4, 2)
    parts = {"emb": emb, "rnn": rnn, "fc": fc}
    return {
        f"{part}.{k}": v for part, layer in parts.items() for k, v in layer.state_dict().items()
    }


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.save({"model_state_dict": state(), "epoch": 2}, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def test_inspect_shows_what_export_would_take(weights: Path, capsys: Capture) -> None:
    assert run(["inspect", str(weights)]) == 0
    shown = capsys.readouterr().out
    for line in (
        "layers   emb:embedding, rnn:lstm, last, fc:linear",
        "input    x: ids (batch, sequence_length)",
        "output   output: (batch, 2)",
    ):
        assert line in shown
    for name in state():
        assert f"model_state_dict.{name}" in shown
    assert "assumed  the head reads the last step of rnn" in shown
    command = shown.rstrip().rpartition("next     lstm-export ")[2]
    assert command == (
        f"export {weights} --layers 'emb:embedding, rnn:lstm, last, fc:linear' --out BUNDLE"
    )


def test_inspect_as_json_and_as_toml(weights: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(["inspect", str(weights), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "weights"
    assert found["layers"] == "emb:embedding, rnn:lstm, last, fc:linear"
    assert found["inputs"] == [{"name": "x", "kind": "ids", "axes": ["batch", "sequence_length"]}]
    assert found["outputs"] == [{"name": "output", "axes": ["batch", 2]}]
    assert found["parameters"] == sum(tensor.numel() for tensor in state().values())
    assert [row["use"] for row in found["tensors"]] == ["used"] * len(state())
    assert run(["inspect", str(weights), "--toml"]) == 0
    text = capsys.readouterr().out
    assert text == found["toml"]
    (tmp_path / "layers.toml").write_text(text.replace("last", "mean"))
    layers = str(tmp_path / "layers.toml")
    assert run(["inspect", str(weights), "--json", "--layers", layers]) == 0
    changed = json.loads(capsys.readouterr().out)
    assert changed["layers"] == "emb:embedding, rnn:lstm, mean, fc:linear"
    assert changed["assumptions"] == []
    assert run(["export", str(weights), "--layers", layers, "--out", str(tmp_path / "b")]) == 0
    assert "taken for emb:embedding, rnn:lstm, mean, fc:linear" in capsys.readouterr().out


def test_export_says_what_it_took_the_weights_for(
    weights: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = str(tmp_path / "bundle")
    assert run(["export", str(weights), "--out", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["weights"]["file"] == "weights.pth"
    assert told["weights"]["taken_for"] == "emb:embedding, rnn:lstm, last, fc:linear"
    assert any(note.startswith("assumed: ") for note in told["notes"])
    assert run(["inspect", out]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"taken for +emb:embedding, rnn:lstm, last, fc:linear\n", shown)
    assert run(["verify", out]) == 0


def test_a_module_of_ones_own_takes_the_weights(
    weights: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "net.py").write_text(NET)
    module = ["--module", str(tmp_path / "net.py:Net"), "--kwargs", '{"hidden": 4}']
    assert run(["export", str(weights), *module, "--out", str(tmp_path / "a"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["graphs"]["model.onnx"]["inputs"][0]["name"] == "tokens"
    layers = ["--layers", "emb:embedding, rnn:lstm, mean, fc:linear"]
    assert run(["export", str(weights), *layers, "--out", str(tmp_path / "b")]) == 0
    from lstm_export import load

    x = np.array([[1, 2, 8, 0, 3]])
    both = [np.asarray(load(tmp_path / name)(x)) for name in ("a", "b")]
    assert np.abs(both[0] - both[1]).max() < 1e-6
    capsys.readouterr()
    np.savez(tmp_path / "io.npz", tokens=x, output=both[0])
    expect = ["--expect", str(tmp_path / "io.npz")]
    assert run(["export", str(weights), *module, *expect, "--out", str(tmp_path / "d")]) == 0
    assert "io.npz agrees: output: error" in capsys.readouterr().out
    np.savez(tmp_path / "io.npz", tokens=x, output=both[0] + 1)
    assert run(["export", str(weights), *module, *expect, "--out", str(tmp_path / "c")]) == 1
    assert "output: error 1 at" in capsys.readouterr().err
    wrong = ["--module", str(tmp_path / "net.py:Net"), "--kwargs", '{"hidden": 5}']
    assert run(["export", str(weights), *wrong, "--out", str(tmp_path / "c")]) == 2
    error = capsys.readouterr().err
    assert "rnn.weight_ih_l0 is (16, 3), the module's is (20, 3)" in error
    assert run(["export", str(weights), "--kwargs", "{", "--out", str(tmp_path / "c")]) == 2
    assert "--kwargs is for" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_the_whole_function_of_a_torchscript(
    weights: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "net.py").write_text(NET)
    from lstm_export import load
    from lstm_export.exporting.source.factory import load_factory

    torch.manual_seed(0)
    net = load_factory(f"{tmp_path / 'net.py'}:Net", {"hidden": 4}).eval()
    torch.jit.save(torch.jit.script(net), str(tmp_path / "net.ts"))
    out = str(tmp_path / "bundle")
    command = ["export", str(tmp_path / "net.ts"), "--run-torchscript", "--out", out]
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["weights"]["taken_for"] == "its whole function, converted by executing it"
    assert "the script itself gave the same on" in told["notes"][-1]
    x = np.array([[1, 2, 8, 0, 3], [3, 4, 5, 6, 7]])
    with torch.no_grad():
        expected = net(torch.from_numpy(x)).numpy()
    assert np.abs(np.asarray(load(out)(x)) - expected).max() < 1e-6
    command = ["export", str(weights), "--run-torchscript", "--out", str(tmp_path / "other")]
    assert run(command) == 2
    assert "expected TorchScript" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_the_whole_function_of_a_program(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "net.py").write_text(NET)
    from lstm_export import load
    from lstm_export.exporting.source.factory import load_factory

    torch.manual_seed(0)
    net = load_factory(f"{tmp_path / 'net.py'}:Net", {"hidden": 4}).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(net, (torch.ones(2, 4, dtype=torch.int64),))
        torch.export.save(program, tmp_path / "net.pt2")
    out = str(tmp_path / "bundle")
    command = ["export", str(tmp_path / "net.pt2"), "--run-torchscript", "--out", out]
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["weights"]["taken_for"] == "its whole function, converted by executing it"
    assert any("saved for a length of 4 alone (axis 1 of" in note for note in told["notes"])
    assert any("the program itself refuses" in note for note in told["notes"])
    x = np.array([[1, 2, 8, 0, 3], [3, 4, 5, 6, 7], [1, 1, 1, 1, 1]])
    with torch.no_grad():
        expected = net(torch.from_numpy(x)).numpy()
    assert np.abs(np.asarray(load(out)(x)) - expected).max() < 1e-6


def test_tensors_that_nothing_uses_are_refused_by_name(tmp_path: Path, capsys: Capture) -> None:
    torch.save({**state(), "gate.scale": torch.zeros(3, 3, 3, 3, 3)}, tmp_path / "w.pt")
    command = ["export", str(tmp_path / "w.pt"), "--out", str(tmp_path / "bundle")]
    assert run(command) == 2
    error = capsys.readouterr().err
    assert "gate.scale (3, 3, 3, 3, 3)" in error
    assert "--allow-unused" in error
    assert not (tmp_path / "bundle").exists()
    assert run(["inspect", str(tmp_path / "w.pt")]) == 0
    assert "unused   1 tensor" in capsys.readouterr().out
    assert run([*command, "--allow-unused"]) == 0
    assert "unused: gate.scale" in capsys.readouterr().out


class Runs:
    """What a pickle would call, were it loaded."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("was_executed",)


def truncated(path: Path) -> None:
    torch.save(state(), path)
    path.write_bytes(path.read_bytes()[:-300])


def not_finite(path: Path) -> None:
    changed = state()
    changed["rnn.weight_hh_l0"][1, 2] = torch.nan
    torch.save(changed, path)


def never_saved(path: Path) -> None:
    kept = {name: value for name, value in state().items() if not name.startswith("rnn")}
    torch.save(kept, path)


def malicious(path: Path) -> None:
    torch.save({**state(), "extra": Runs()}, path)


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rnn.weight_ih_l0.npy", b"\x93NUMPY\x01\x00" + bytes(1 << 28))


def traversal(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside.npy", b"\x93NUMPY\x01\x00")


def contradicting(path: Path) -> None:
    changed = state()
    changed["rnn.bias_ih_l0"] = torch.zeros(12)
    torch.save(changed, path)


def two_models(path: Path) -> None:
    torch.save({"actor": state(), "critic": state()}, path)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut off": (truncated, "cut|damaged|truncated|not whole"),
    "not finite": (not_finite, r"rnn\.weight_hh_l0 has nan at \[1, 2\]"),
    "no recurrent weights": (never_saved, "recurrent"),
    "a call in a pickle": (malicious, "mkdir"),
    "a zip bomb": (bomb, "weights"),
    "a name that leaves the archive": (traversal, "outside"),
    "deep JSON": (lambda path: path.write_text("[" * 10**6), "nested|deep"),
    "sizes that contradict": (contradicting, "12"),
    "several models": (two_models, "--key actor"),
    "a web page": (lambda path: path.write_text("<!DOCTYPE html><p>404"), "a web page"),
    "nothing": (lambda path: path.write_bytes(b""), "an empty file"),
    "a plain pickle of a class": (
        lambda path: path.write_bytes(pickle.dumps({"a": Runs()})),
        "mkdir|pickle",
    ),
    "not there": (lambda path: None, "no such file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_get_one_message_and_leave_nothing(
    name: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, message = BAD[name]
    make(tmp_path / "file.bin")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert run(["export", "file.bin", "--out", "bundle"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("error:") == 1, err
    assert re.search(message, err), err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layers", "emb:embeding, rnn:lstm"], "embedding"),
        (["--layers", "emb:embedding, rnn:lstm, fc:linear, head:linear"], "head"),
        (["--layers", "absent.toml"], "absent.toml cannot be read"),
        (["--layers", "rnn:lstm, last, fc:linear"], "emb.weight"),
        (["--key", "teacher"], "teacher"),
        (["--example-shape", "x=2,3"], "--example-shape is for"),
        (["--weights", "other.pt"], "--weights is for"),
        (["--target", "any"], "target"),
    ],
)
def test_options_that_do_not_fit_the_file(
    weights: Path, tmp_path: Path, capsys: Capture, options: list[str], message: str
) -> None:
    assert run(["export", str(weights), "--out", str(tmp_path / "bundle"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert "fault of lstm-export" not in error
    assert not (tmp_path / "bundle").exists()
