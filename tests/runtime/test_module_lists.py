"""Lists and padded batches for graphs without terms of ours: each as it would be alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm_export.bundling import export_bundle
from lstm_export.errors import InputError
from lstm_export.runtime import graph_model, module_long, module_rows
from lstm_export.runtime.graph_model import GraphModel
from lstm_export.runtime.load import load


class Steps(nn.Module):
    """One direction, an output for every step."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.head = nn.LSTM(3, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.layers(x)[0])
        return y


class Both(nn.Module):
    """Two directions, time first, an output for every step and one for all."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.GRU(3, 6, bidirectional=True)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y, h = self.layers(x)
        return {"y": y, "last": h[-1]}


class Packed(nn.Module):
    """Takes the lengths; its mean is over all steps there are, padding included."""

    def __init__(self, mean: bool) -> None:
        super().__init__()
        self.layers, self.mean = nn.LSTM(3, 6, batch_first=True, bidirectional=True), mean

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y: Tensor = pad_packed_sequence(self.layers(packed)[0], batch_first=True)[0]
        return y.mean(1) if self.mean else y


class Mixing(nn.Module):
    """Takes the mean of its batch away: a row alone has other outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.LSTM(3, 6, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.layers(x)
        return y - y.mean(0, keepdim=True)


X, LENGTHS = torch.zeros(2, 5, 3), torch.tensor([5, 3])
MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[Tensor, ...]]] = {
    "steps": (Steps, (X,)),
    "both": (Both, (X.transpose(0, 1),)),
    "packed": (lambda: Packed(mean=False), (X, LENGTHS)),
    "mean": (lambda: Packed(mean=True), (X, LENGTHS)),
    "mixing": (Mixing, (X,)),
}
Load = Callable[[str], GraphModel]


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """The loaded bundle of one of MODULES."""
    models: dict[str, GraphModel] = {}

    def loaded(kind: str) -> GraphModel:
        if kind not in models:
            make, args = MODULES[kind]
            with torch.random.fork_rng(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.manual_seed(0)
                path = tmp_path_factory.mktemp("modules") / "bundle"
                export_bundle(make().eval(), path, args=args)
            model = load(path)
            assert isinstance(model, GraphModel)
            models[kind] = model
        return models[kind]

    return loaded


def some(count: int = 9) -> list[Any]:
    rng = np.random.default_rng(0)
    lengths = [4, 4, 1, 7, *rng.integers(1, 20, count - 4)]
    return [rng.normal(size=(n, 3)).astype(np.float32) for n in lengths]


def by_itself(model: GraphModel, kind: str, x: Any) -> dict[str, Any]:
    """The outputs of one call with a batch of one, without the axis of the batch."""
    axis = 1 if kind == "both" else 0
    feeds = {"x": np.expand_dims(x, axis)}
    if len(model.contract.graph.inputs) == 2:
        feeds["lengths"] = np.array([len(x)])
    outputs = model(feeds)
    if not isinstance(outputs, dict):
        return {"output": outputs[0]}
    return {"y": outputs["y"][:, 0], "last": outputs["last"][0]}


def require_same(model: GraphModel, kind: str, sequences: list[Any], results: list[Any]) -> None:
    for x, result in zip(sequences, results, strict=True):
        named = result if isinstance(result, dict) else {"output": result}
        for name, expected in by_itself(model, kind, x).items():
            np.testing.assert_allclose(named[name], expected, rtol=1e-4, atol=1e-6)
            assert named[name].shape == expected.shape


def rows_of(got: Any) -> list[Any]:
    if not isinstance(got, dict):
        return list(got)
    return [dict(zip(got, row, strict=True)) for row in zip(*got.values(), strict=True)]


@pytest.mark.parametrize("kind", MODULES)
def test_each_is_as_alone(module: Load, kind: str) -> None:
    model, sequences = module(kind), some()
    got = model(sequences)
    require_same(model, kind, sequences, rows_of(got))
    require_same(model, kind, sequences, rows_of(model({"x": tuple(sequences)})))
    require_same(model, kind, sequences, rows_of(model([x.tolist() for x in sequences])))
    require_same(model, kind, sequences, list(model.map(iter(sequences), batch_size=4)))
    # What has a value for every step is a list, the rest is stacked.
    if kind == "both":
        assert isinstance(got["y"], list)
        assert got["last"].shape == (9, 6)
    else:
        assert isinstance(got, list) is (kind != "mean")
    equal = [x[:1] for x in sequences]
    require_same(model, kind, equal, rows_of(model(equal)))


def test_what_may_run_together(module: Load) -> None:
    expected = {"steps": True, "both": False, "packed": True, "mean": False, "mixing": False}
    for kind, pads in expected.items():
        model = module(kind)
        model(some())
        assert model._rows().pads(9) is pads, kind
        assert model._rows().together is (kind != "mixing"), kind


@pytest.mark.parametrize("kind", ["steps", "both", "mixing"])
def test_padded_batches(module: Load, kind: str) -> None:
    model, sequences = module(kind), some()
    batch = np.full((9, 25, 3), np.nan)
    for row, x in zip(batch, sequences, strict=True):
        row[: len(x)] = x
    lengths = [len(x) for x in sequences]
    given = batch.transpose(1, 0, 2) if kind == "both" else batch
    require_same(model, kind, sequences, rows_of(model(given, lengths=lengths)))
    require_same(model, kind, sequences, rows_of(model({"x": given, "lengths": lengths})))
    lengths[3] += 1
    with pytest.raises(InputError, match=r"x, row 3: nan at \[7, 0\]"):
        model(given, lengths=lengths)


def test_lengths_that_a_graph_takes_are_its_input(module: Load) -> None:
    model, x = module("packed"), np.ones((2, 5, 3))
    got = model(x=x, lengths=np.array([5, 3]))
    assert got.shape == (2, 5, 12)
    assert (got[1, 3:] == 0).all()
    listed = model(x=[x[0], x[1]], lengths=np.array([5, 3]))
    np.testing.assert_array_equal(listed, got)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({"x": [np.zeros((2, 3)), np.zeros((4, 2))]}, r"x\[1\]: expected a sequence \(sequence"),
        ({"x": [np.zeros((2, 3)), np.zeros((0, 3))]}, r"x\[1\] is empty"),
        ({"x": [np.zeros((2, 3)), np.full((1, 3), np.nan)]}, r"x\[1\]: nan at \[0, 0\]"),
        ({"x": [np.zeros((2, 3)), np.zeros((1, 3), bool)]}, r"x\[1\]: .* got bool"),
        ({"x": [np.zeros((2, 3)), np.zeros((4, 3))], "lengths": [2, 4]}, "leave lengths out"),
        ({"x": np.zeros((2, 4, 3)), "lengths": [2, 5]}, "row 1 is given 5, and the batch is"),
        ({"x": np.zeros((2, 4, 3)), "lengths": [0, 1]}, "row 0 is given 0"),
        ({"x": np.zeros((4, 3)), "lengths": [4]}, r"expected x \(batch, sequence_length, 3\)"),
        ({"y": np.zeros((2, 4, 3)), "lengths": [2, 4]}, "no input 'y'"),
        ({"lengths": [2, 4]}, "'x' is missing"),
    ],
)
def test_what_is_refused(module: Load, feeds: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        module("steps")(feeds)


def test_a_graph_that_takes_no_list_says_so(tmp_path: Path) -> None:
    spec = {"x": ["batch", 3], "y": ["batch", 3]}
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "y"], ["z"])],
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in spec.items()],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 3])],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "m.onnx")
    model = load(tmp_path / "m.onnx")
    assert isinstance(model, GraphModel)
    assert model(x=[np.ones(3), np.ones(3)], y=np.ones((2, 3))).shape == (2, 3)
    for call in (lambda: model.map([]), lambda: model(x=np.ones((2, 3)), lengths=[1, 2])):
        with pytest.raises(InputError, match=r"takes x: float32 \(batch, 3\); y: .* on its own"):
            call()


def test_long_inputs_go_in_chunks(module: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = module("steps"), some(30)
    batch = np.stack([np.resize(a, (50, 3)) for a in x])
    expected, listed = model(batch), model(x)
    chunks = []
    true = module_long.in_chunks
    monkeypatch.setattr(module_long, "CHUNK", 200)
    monkeypatch.setattr(module_long, "in_chunks", lambda *a: chunks.append(1) or true(*a))
    for place in (graph_model, module_rows):
        monkeypatch.setattr(place, "LONG", 10)
    np.testing.assert_allclose(model(batch), expected, rtol=1e-4, atol=1e-6)
    for a, b in zip(model(x), listed, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert len(chunks) >= 2
