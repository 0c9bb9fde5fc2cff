"""From a file of every format to a bundle that gives the numbers of the model that wrote it."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import lstm_export as lx
from lstm_export.compare.tensors import compare_outputs
from lstm_export.importing.reference import run
from lstm_export.importing.understand import understand

FIXTURES = Path(__file__).resolve().parent / "fixtures"
Array = npt.NDArray[Any]


class Scores(nn.Module):
    """Floats through a GRU in two directions; the head reads the last step."""

    layers = "rnn:gru, last, fc:linear"

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.fc(self.rnn(x)[0][:, -1])
        return result

    def draw(self, batch: int, length: int) -> Tensor:
        return torch.randn(batch, length, 3)


class Words(nn.Module):
    """Ids through an LSTM; a head with a score for each word at every step."""

    layers = "emb:embedding, lstm, out:linear"

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(11, 5)
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.out = nn.Linear(6, 11)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.out(self.lstm(self.emb(x))[0])
        return result

    def draw(self, batch: int, length: int) -> Tensor:
        return torch.randint(0, 11, (batch, length))


Model = Scores | Words


def made(kind: type[Model]) -> Model:
    torch.manual_seed(5)
    return kind().eval()


def old_pickle(model: Model, path: Path) -> None:
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)


def lightning(model: Model, path: Path) -> None:
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    parts = {"optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}}], "epoch": 3}
    torch.save({"state_dict": state, "hyper_parameters": {"lr": 1e-3}, **parts}, path)


def parametrized(model: Model, path: Path) -> None:
    normed = copy.deepcopy(model)
    for name in ("weight_ih_l0", "weight_hh_l0"):
        recurrent = normed.rnn if isinstance(normed, Scores) else normed.lstm
        nn.utils.parametrizations.weight_norm(recurrent, name)
    torch.save(normed.state_dict(), path)


def as_json(model: Model, path: Path) -> None:
    path.write_text(json.dumps({k: v.tolist() for k, v in model.state_dict().items()}))


def as_npz(model: Model, path: Path) -> None:
    np.savez(path, **{name: value.numpy() for name, value in model.state_dict().items()})


def as_pickle(model: Model, path: Path) -> None:
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    path.write_bytes(pickle.dumps(arrays))


def scripted(model: Model, path: Path) -> None:
    torch.jit.save(torch.jit.script(model), str(path))


def pt2(model: Model, path: Path) -> None:
    torch.export.save(torch.export.export(model, (model.draw(2, 5),)), path)


def wide(model: Model, path: Path) -> None:
    torch.save(copy.deepcopy(model).double().state_dict(), path)


WRITERS: dict[str, tuple[Callable[[Model, Path], object], type[Model]]] = {
    "state dict": (lambda model, path: torch.save(model.state_dict(), path), Words),
    "pre-zip": (old_pickle, Scores),
    "lightning": (lightning, Words),
    "data parallel": (
        lambda model, path: torch.save({"net": nn.DataParallel(model).state_dict()}, path),
        Scores,
    ),
    "parametrized": (parametrized, Scores),
    "whole module": (lambda model, path: torch.save(model, path), Words),
    "safetensors": (lambda model, path: save_file(model.state_dict(), path), Scores),
    "json": (as_json, Words),
    "npz": (as_npz, Scores),
    "pickle": (as_pickle, Words),
    "torchscript": (scripted, Scores),
    "pt2": (pt2, Words),
    "float64": (wide, Scores),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")  # by torch.export's writer
@pytest.mark.parametrize("name", WRITERS)
def test_weights_of_every_format_give_their_models_numbers(name: str, tmp_path: Path) -> None:
    write, kind = WRITERS[name]
    model = made(kind)
    write(model, tmp_path / "weights.bin")
    if name == "npz":
        (tmp_path / "weights.bin.npz").rename(tmp_path / "weights.bin")
    manifest = lx.export_bundle(tmp_path / "weights.bin", tmp_path / "bundle")
    origin = manifest.provenance.weights
    assert origin is not None
    assert origin.taken_for == kind.layers
    bundle = lx.load(tmp_path / "bundle")
    exact = copy.deepcopy(model).double()
    for batch, length in ((1, 5), (3, 5), (1, 12), (3, 12)):
        x = model.draw(batch, length)
        with torch.no_grad():
            torchs = model(x).numpy()
            reference = exact(x.double() if x.is_floating_point() else x).numpy()
        got = np.asarray(bundle(x.numpy()))
        (found,) = compare_outputs({"y": got}, {"y": reference}, {"y": torchs})
        assert found.passed, f"{batch}, {length}: {found.reason}"
    assert lx.verify(tmp_path / "bundle").passed


@pytest.mark.parametrize("name", sorted(p.name for p in FIXTURES.glob("*.[jn]*")))
def test_models_of_audio_plug_ins_become_bundles(name: str, tmp_path: Path) -> None:
    """Their numbers by the equations, from the layout of their files."""
    manifest = lx.export_bundle(FIXTURES / name, tmp_path / "bundle")
    # A convolution needs steps of the past that no recurrent state holds.
    streams = all(step.op != "conv1d" for step in understand(FIXTURES / name).description.steps)
    assert ("stream.onnx" in manifest.graphs) == streams, manifest.provenance.notes
    description = understand(FIXTURES / name).description
    bundle = lx.load(tmp_path / "bundle")
    size = int(description.inputs[0].axes[-1])
    random = np.random.default_rng(0)
    for batch, length in ((1, 7), (3, 7), (1, 20), (3, 20)):
        x = random.normal(size=(batch, length, size)).astype(np.float32)
        expected = run(description, {"x": x})["output"]
        got = np.asarray(bundle(x))
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() <= 4e-6 * np.abs(expected).max()
    if not streams:
        return
    stream = bundle.stream()
    chunks = [np.asarray(stream.run(x[:1, start : start + 5])) for start in range(0, 20, 5)]
    assert np.abs(np.concatenate(chunks, axis=1) - expected[:1]).max() <= 4e-6


def test_one_of_several_models_in_a_file(tmp_path: Path) -> None:
    first, second = made(Words), made(Words)
    with torch.no_grad():
        second.out.bias.add_(1.0)
    states = {"teacher_net": first.state_dict(), "student_net": second.state_dict()}
    torch.save(states, tmp_path / "two.pt")
    lx.export_bundle(tmp_path / "two.pt", tmp_path / "bundle", key="student_net", stream=False)
    x = first.draw(2, 4)
    with torch.no_grad():
        expected = second(x).numpy()
    assert np.abs(np.asarray(lx.load(tmp_path / "bundle")(x.numpy())) - expected).max() < 1e-6
