"""Translation prepared once gives the graph that torch.onnx.export gives."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as shape_settings
from torch.nn import functional
from torch.onnx._internal.exporter._registration import ONNXRegistry

from lstm_export.exporting import translate as translation
from lstm_export.exporting.capture.recurrent import recurrent_capture
from lstm_export.exporting.export import export_onnx
from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.lowering.recurrent import lower_recurrent

# torch's exporter warns about torch.
pytestmark = pytest.mark.filterwarnings("ignore")


class Model(nn.Module):
    """A recurrent layer, what may surround it, and a function that uses some of that."""

    def __init__(self, function: Callable[[Model, Tensor], Any]) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.LSTM(6, 8, batch_first=True)
        self.gru, self.lstm = nn.GRUCell(6, 8), nn.LSTMCell(6, 8)
        self.head = nn.Linear(8, 4)
        self.dropout = nn.Dropout(0.2)
        self.norm = nn.BatchNorm1d(8)
        self.query = nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)

    def sequence(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers(x)[0]
        return result


def attention(model: Model, x: Tensor) -> Tensor:
    y = model.sequence(x)
    return (torch.softmax(y @ model.query, 1).unsqueeze(-1) * y).sum(1)


def first_step_cleared(model: Model, x: Tensor) -> Tensor:
    y = model.sequence(x).clone()
    y[:, 0] = 0
    return y


AS_IT_IS: dict[str, Callable[[Model, Tensor], Any]] = {
    "the last step": lambda m, x: m.head(m.sequence(x)[:, -1]),
    "everything": lambda m, x: (m.sequence(x), *m.layers(x)[1]),
    "attention": attention,
    "steps counted": lambda m, x: m.sequence(x) * torch.arange(x.size(1))[None, :, None],
}
DECOMPOSED: dict[str, Callable[[Model, Tensor], Any]] = {
    "dropout": lambda m, x: m.head(m.dropout(m.sequence(x))),
    "batch norm": lambda m, x: m.norm(m.sequence(x).transpose(1, 2)),
    "cells": lambda m, x: (m.gru(x[:, 0]), m.lstm(x[:, -1])),
    "flatten": lambda m, x: m.head(m.sequence(x).flatten(0, 1)),
    "written in place": first_step_cleared,
    "an operator without a translation": lambda m, x: m.sequence(x).std(1),
    "adaptive pooling": lambda m, x: functional.adaptive_avg_pool1d(
        m.sequence(x).transpose(1, 2), 1
    ),
}
LEFT_TO_TORCH = [DECOMPOSED[name] for name in ("flatten", "written in place", "adaptive pooling")]


def traced(function: Callable[[Model, Tensor], Any]) -> ExportedProgram:
    torch.manual_seed(0)
    module = Model(function).eval()
    oblivious = shape_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with torch.no_grad(), recurrent_capture(module), oblivious:
        return torch.export.export(
            module,
            (torch.zeros(2, 5, 6),),
            dynamic_shapes=({0: Dim.AUTO, 1: Dim.AUTO, 2: None},),
            strict=False,
        )


def content(model: ir.Model) -> bytes:
    lower_recurrent(model, "portable")
    tidy(model)
    model.ir_version = 8
    return ir.to_proto(model).SerializeToString(deterministic=True)


torchs_table = functools.cache(ONNXRegistry.from_torchlib)


def output_names(program: ExportedProgram) -> list[str]:
    return [f"output_{i}" for i in range(len(program.graph_signature.user_outputs))]


@pytest.mark.parametrize(
    ("function", "retraced"),
    [(f, f in LEFT_TO_TORCH) for f in (AS_IT_IS | DECOMPOSED).values()],
    ids=AS_IT_IS | DECOMPOSED,
)
def test_the_graph_is_that_of_torch_onnx_export(
    function: Callable[[Model, Tensor], Any], retraced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = traced(function)
    before, names = str(program.graph), output_names(program)
    with monkeypatch.context() as patched:
        calls: list[object] = []
        decompose = ExportedProgram.run_decompositions
        patched.setattr(
            ExportedProgram,
            "run_decompositions",
            lambda *given: calls.append(given) or decompose(*given),
        )
        ours = translation.translate(program, input_names=["x"], output_names=names)
    assert bool(calls) == retraced
    assert str(program.graph) == before
    # What another version of torch may look like. Its table need not be built for every graph.
    monkeypatch.setattr(translation, "_parts", lambda: None)
    monkeypatch.setattr(ONNXRegistry, "from_torchlib", staticmethod(torchs_table))
    stock = translation.translate(program, input_names=["x"], output_names=names)
    assert [str(v) for v in ours.graph.outputs] == [str(v) for v in stock.graph.outputs]
    assert content(ours) == content(stock)


@pytest.mark.parametrize("error", [ImportError, AttributeError, TypeError])
def test_a_torch_without_the_parts_is_noticed(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise error("no such name")

    monkeypatch.setattr(translation, "_found_parts", missing)
    # What is cached stays so: to find the parts takes seconds.
    assert translation._parts.__wrapped__() is None


def test_sizes_keep_the_names_of_the_program() -> None:
    program = traced(AS_IT_IS["everything"])
    model = translation.translate(program, input_names=["x"], output_names=output_names(program))
    sizes = program.graph_signature.user_inputs[0]
    value = next(node for node in program.graph.nodes if node.name == sizes).meta["val"]
    shape = model.graph.inputs[0].shape
    assert shape is not None
    assert [str(dim) for dim in shape] == [str(dim) for dim in value.shape]
    y = model.graph.outputs[0].shape
    assert y is not None
    assert [str(dim) for dim in y][:2] == [str(dim) for dim in value.shape][:2]


def test_weights_are_not_copied() -> None:
    program = traced(AS_IT_IS["the last step"])
    model = translation.translate(program, input_names=["x"], output_names=["output"])
    weight = model.graph.initializers["head.weight"].const_value
    assert weight is not None
    assert weight.numpy().ctypes.data == program.state_dict["head.weight"].data_ptr()


def causal(model: Model, x: Tensor) -> Tensor:
    y = model.sequence(x)
    mask = torch.ones(y.size(0), y.size(1), y.size(1), dtype=torch.bool).tril()
    return functional.scaled_dot_product_attention(y, y, y, attn_mask=mask)


WITHOUT_HEADS: dict[str, Callable[[Model, Tensor], Any]] = {
    "plain": lambda m, x: functional.scaled_dot_product_attention(*[m.sequence(x)] * 3),
    "masked": causal,
    "one query": lambda m, x: functional.scaled_dot_product_attention(
        m.sequence(x)[:, -1:], m.sequence(x), m.sequence(x), scale=0.5
    ),
    "two axes": lambda m, x: functional.scaled_dot_product_attention(
        *[m.sequence(x).mean(1)] * 3, is_causal=True
    ),
}


@pytest.mark.parametrize("function", WITHOUT_HEADS.values(), ids=[*WITHOUT_HEADS])
def test_attention_without_heads_has_a_translation(
    function: Callable[[Model, Tensor], Any],
) -> None:
    program = traced(function)
    model = translation.translate(program, input_names=["x"], output_names=["output"])
    session = onnxruntime.InferenceSession(content(model), providers=["CPUExecutionProvider"])
    x = torch.randn(3, 7, 6, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    with torch.no_grad():
        expected = Model(function).eval()(x)
    (got,) = session.run(None, {"x": x.numpy()})
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda model, x: model.head(model.sequence(x)).squeeze(-1),
        lambda model, x: model.head(model.sequence(x).squeeze(-1)),
        lambda model, x: model.sequence(x).unsqueeze(1).squeeze((1, -1)),
    ],
    ids=["of the output", "within", "one of two"],
)
def test_a_squeeze_of_an_axis_that_is_not_one_does_nothing(
    function: Callable[[Model, Tensor], Tensor], tmp_path: Path
) -> None:
    report = export_onnx(Model(function).eval(), torch.randn(2, 5, 6), tmp_path / "m.onnx")
    assert [axis.name for axis in report.outputs[0].axes[:2]] == ["batch", "sequence_length"]
