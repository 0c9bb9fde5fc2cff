"""RTNeural, GuitarML and Neural Amp Modeler: layers, layouts, and sizes that arrays contradict."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lstm_export.errors import CheckpointError
from lstm_export.importing.raw import RawFile
from lstm_export.importing.read import read

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
NAMES = sorted(p.name for p in FIXTURES.iterdir() if p.suffix in (".json", ".nam"))


def changed(folder: Path, name: str, change: Callable[[Any], object]) -> RawFile:
    value = json.loads((FIXTURES / name).read_text("utf-8"))
    change(value)
    path = folder / "changed"
    path.write_text(json.dumps(value), "utf-8")
    return read(path)


def test_the_script_makes_these_very_files() -> None:
    made = runpy.run_path(str(FIXTURES / "make_audio_models.py"))["FILES"]
    assert sorted(made) == NAMES
    for seed, (name, make) in enumerate(made.items()):
        text = json.dumps(make(np.random.default_rng(seed))) + "\n"
        assert (FIXTURES / name).read_text("utf-8") == text


@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_belongs_to_a_layer(name: str) -> None:
    file = read(FIXTURES / name)
    assert file.layers is not None
    used = [tensor for layer in file.layers for tensor in layer.tensors.values()]
    assert sorted(used) == sorted(file.tensors)
    assert set(file.stored.values()) == {"float32"}


def test_rtneural_layers_keep_keras_layouts() -> None:
    file = read(FIXTURES / "rtneural_lstm.json")
    assert file.layers is not None
    lstm, dense, skip = file.layers
    assert (lstm.kind, lstm.layout, dense.kind) == ("lstm", "keras", "linear")
    assert {r: file.tensors[n].shape for r, n in lstm.tensors.items()} == {
        "kernel": (1, 20),
        "recurrent_kernel": (5, 20),
        "bias": (20,),
    }
    assert file.tensors[dense.tensors["kernel"]].shape == (5, 1)
    assert (skip.kind, skip.options) == ("skip", {"channels": 1})
    assert any("out_gain of -1.5 dB" in note for note in file.notes)


def test_rtneural_knows_every_kind_of_layer() -> None:
    file = read(FIXTURES / "rtneural_gru.json")
    assert file.layers is not None
    conv, relu, norm, prelu, gru, dense, tanh = file.layers
    assert conv.options == {"dilation": 3, "groups": 1, "padding": "causal"}
    assert file.tensors[conv.tensors["kernel"]].shape == (2, 2, 3)
    assert (relu.kind, tanh.kind, dense.kind) == ("relu", "tanh", "linear")
    assert (norm.kind, norm.options, len(norm.tensors)) == ("batch_norm", {"eps": 0.001}, 4)
    assert file.tensors[prelu.tensors["alpha"]].shape == (1, 3)
    assert (gru.kind, gru.options) == ("gru", {"reset_after": True})


def test_guitarml_is_torchs_state_dict() -> None:
    file = read(FIXTURES / "guitarml_lstm.json")
    assert file.layers is not None
    assert [layer.kind for layer in file.layers] == ["lstm", "linear", "skip"]
    torch.nn.LSTM(1, 4).load_state_dict(
        {r: torch.tensor(file.tensors[n]) for r, n in file.layers[0].tensors.items()}
    )
    assert file.declared["model_data.hidden_size"] == 4
    blocks = read(FIXTURES / "guitarml_blocks.json")
    assert blocks.layers is not None
    assert [layer.kind for layer in blocks.layers] == ["gru", "linear"]
    assert blocks.declared["training_info.current_epoch"] == 2


def test_nam_weights_are_torchs_in_one_row(tmp_path: Path) -> None:
    torch.manual_seed(0)
    lstm, head = nn.LSTM(2, 3, num_layers=2), nn.Linear(3, 1)
    states = torch.randn(2, 2, 3)
    flat: list[float] = []
    for i in range(2):
        ih, hh, bi, bh = (
            getattr(lstm, f"{n}_l{i}") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        for part in (torch.cat([ih, hh], 1), bi + bh, states[0, i], states[1, i]):
            flat += part.flatten().tolist()
    flat += head.weight.flatten().tolist() + head.bias.tolist()
    path = tmp_path / "x"
    config = {"input_size": 2, "hidden_size": 3, "num_layers": 2}
    path.write_text(json.dumps({"architecture": "LSTM", "config": config, "weights": flat}))
    file = read(path)
    for i in range(2):
        combined = torch.cat(
            [getattr(lstm, f"weight_ih_l{i}"), getattr(lstm, f"weight_hh_l{i}")], 1
        )
        np.testing.assert_array_equal(file.tensors[f"layers.{i}.weight"], combined.detach().numpy())
        np.testing.assert_array_equal(file.tensors[f"layers.{i}.initial_h"], states[0, i].numpy())
        np.testing.assert_array_equal(file.tensors[f"layers.{i}.initial_c"], states[1, i].numpy())
    np.testing.assert_array_equal(file.tensors["head.weight"], head.weight.detach().numpy())
    np.testing.assert_array_equal(file.tensors["head.bias"], head.bias.detach().numpy())


def put(*path_and_value: Any) -> Callable[[Any], None]:
    *path, last, new = path_and_value

    def change(value: Any) -> None:
        for step in path:
            value = value[step]
        value[last] = new

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("amp_lstm.nam", put("architecture", "WaveNet"), "architecture 'WaveNet', expected LSTM"),
        ("amp_lstm.nam", put("config", "hidden_size", 4), "hidden_size 4, .* take 261 .* has 160"),
        ("amp_lstm.nam", put("config", "num_layers", 10**9), "the list has 160"),
        ("amp_lstm.nam", put("config", "num_layers", 10**4000), "whole number of at least 1"),
        ("amp_lstm.nam", put("config", "hidden_size", None), "expected hidden_size as a whole"),
        ("amp_lstm.nam", put("config", 3), "config: expected an object"),
        ("amp_lstm.nam", put("weights", [[1.0]]), "the list has 1 x 1"),
        (
            "guitarml_lstm.json",
            put("model_data", "hidden_size", 5),
            r"is \(16, 1\), but .* \(20, 1\)",
        ),
        ("guitarml_lstm.json", put("model_data", "unit_type", "QRNN"), "expected unit_type LSTM"),
        ("guitarml_lstm.json", put("model_data", "unit_type", []), "expected unit_type LSTM"),
        (
            "guitarml_lstm.json",
            put("model_data", "model", "WaveNet"),
            "declares the model 'WaveNet'",
        ),
        ("guitarml_lstm.json", put("model_data", "num_layers", 10**9), "6 tensors are there"),
        ("guitarml_lstm.json", lambda v: v.pop("state_dict"), "they were never saved"),
        ("guitarml_lstm.json", lambda v: v["state_dict"].pop("lin.bias"), "expected lin.bias in"),
        ("rtneural_lstm.json", put("in_shape", [None, 2]), r"kernel is \(2, 20\); .* is \(1, 20\)"),
        ("rtneural_lstm.json", put("in_shape", []), "expected a size"),
        ("rtneural_lstm.json", put("layers", 0, "shape", [6]), r"6 units .* array is \(1, 20\)"),
        ("rtneural_lstm.json", put("layers", 0, "type", "conv2d"), "found 'conv2d'"),
        ("rtneural_lstm.json", put("layers", 0, "type", ["lstm"]), "expected a layer of type"),
        ("rtneural_lstm.json", put("layers", 0, "activation", "relu"), "RTNeural computes tanh"),
        ("rtneural_lstm.json", put("layers", 1, "activation", "swish"), "found 'swish'"),
        ("rtneural_lstm.json", put("layers", 0, "weights", []), "expected 3 or 2 arrays"),
        ("rtneural_lstm.json", put("layers", []), "found an empty list"),
        ("rtneural_gru.json", put("layers", 1, "shape", [4]), "declares 4 values a step"),
        ("rtneural_gru.json", put("layers", 1, "epsilon", None), "expected epsilon as a number"),
        ("rtneural_gru.json", put("layers", 0, "groups", 3), "2 channels in 3 groups"),
    ],
)
def test_contradictions_are_named(
    tmp_path: Path, name: str, change: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        changed(tmp_path, name, change)


def test_a_last_step_of_keras_is_noted(tmp_path: Path) -> None:
    file = changed(tmp_path, "rtneural_lstm.json", put("layers", 0, "shape", [None, 5]))
    assert any("goes on giving an output at every step" in note for note in file.notes)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(NAMES), st.floats(0, 1, exclude_max=True), st.integers(0, 255))
def test_cut_or_flipped_files_never_crash(
    tmp_path_factory: pytest.TempPathFactory, name: str, where: float, byte: int
) -> None:
    body = (FIXTURES / name).read_bytes().strip()
    at = int(where * len(body))
    path = tmp_path_factory.mktemp("flipped") / name
    path.write_bytes(body[:at])
    with pytest.raises(CheckpointError):
        read(path)
    path.write_bytes(body[:at] + bytes([byte]) + body[at + 1 :])
    try:
        file = read(path)
    except CheckpointError:
        return
    assert file.tensors
