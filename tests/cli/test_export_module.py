"""`lstm-export export model.py:build`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import lstm_export as lx
from lstm_export.cli.main import run

SOURCE = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x, scale: float = 1.0):
        return {"scores": self.head(self.rnn(x)[0]) * scale}

def build():
    torch.manual_seed(0)
    return Model()

def pooled():
    model = build()
    model.head = nn.Flatten(1, -1)
    model.forward = lambda x: model.rnn(x)[0].mean(1)
    return model

def branching():
    model = build()
    model.forward = lambda x: model.rnn(x)[0] if x.size(1) > 3 else x
    return model
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.py"
    path.write_text(SOURCE)
    return path


def test_a_module_becomes_a_bundle_that_verifies(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    arguments = ["export", f"{model}:build", "--example-shape", "x=2,5,3", "--out", str(out)]
    assert run(arguments) == 0
    shown = capsys.readouterr()
    assert "x: float32 (batch, sequence_length, 3)" in shown.out
    assert "scores: float32 (batch, sequence_length, 2)" in shown.out
    assert "the weights that its code gave it" in shown.err
    assert lx.verify(out).passed
    assert lx.load(out)(np.zeros((4, 9, 3), np.float32)).shape == (4, 9, 2)
    assert run(["verify", str(out)]) == 0
    assert run(["inspect", str(out)]) == 0


def test_weights_come_from_a_file_and_the_example_is_guessed(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace: dict[str, object] = {}
    exec(SOURCE, namespace)
    other = namespace["Model"]()  # type: ignore[operator]
    torch.save({"state_dict": other.state_dict()}, tmp_path / "w.pt")
    out = tmp_path / "bundle"
    options = ["--weights", str(tmp_path / "w.pt"), "--out", str(out), "--json"]
    assert run(["export", f"{model}:Model", *options]) == 0
    shown = capsys.readouterr()
    body = json.loads(shown.out)
    assert body["parity"]["passed"]
    assert body["graphs"]["model.onnx"]["inputs"][0]["axes"] == ["batch", "sequence_length", 3]
    assert "guessed" in shown.err
    x = torch.randn(2, 7, 3)
    got = lx.load(out)(x.numpy())
    assert np.allclose(got, other.eval()(x)["scores"].detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "files", "note"),
    [
        (["{model}:build"], 2, "stream.onnx"),
        (["{model}:build", "--stream"], 2, "stream.onnx"),
        (["{model}:build", "--no-stream"], 1, "not asked for"),
        (["{model}:pooled"], 1, "this module cannot stream: "),
    ],
)
def test_a_stream_is_made_where_it_can_be_and_is_wanted(
    arguments: list[str],
    files: int,
    note: str,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "bundle"
    filled = [argument.format(model=model) for argument in arguments]
    assert run(["export", *filled, "--example-shape", "x=2,5,3", "--out", str(out)]) == 0
    assert note in capsys.readouterr().out
    assert len(list(out.glob("*.onnx"))) == files


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{model}:nobody"], "has no 'nobody'"),
        (["{model}:build", "--example-shape", "y=2,5,3"], "y"),
        (["{model}:build", "--example-shape", "x=2,5,4"], "refuses its own example"),
        (["{model}:branching", "--example-shape", "x=2,5,3"], "branches on a size"),
        (["{model}:build", "--weights", "nowhere.pt"], "nowhere.pt"),
        (["{model}:build", "--target", "toaster"], "expected 'portable' or 'onnxruntime'"),
        (["missing.py:build"], "no such file"),
        (["runs/nothing", "--example-shape", "x=2,5,3"], "is for a module, as model.py:name"),
        (["runs/nothing", "--no-stream"], "runs/nothing: there is no such file"),
        ([".", "--no-stream"], "--stream is for a file of weights"),
        (["{model}:pooled", "--stream", "--example-shape", "x=2,5,3"], "cannot stream"),
    ],
)
def test_what_cannot_be_is_one_message_and_no_bundle(
    arguments: list[str],
    message: str,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "bundle"
    filled = [argument.format(model=model) for argument in arguments]
    assert run(["export", *filled, "--out", str(out)]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert not out.exists()
