"""Graphs at every opset on offer: valid, loaded by onnxruntime, and the numbers those of 18."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from onnx import parser
from torch import Tensor, nn
from torch.export import Dim
from torch.fx.experimental import _config as shape_settings
from torch.nn import functional

from lstm_export.errors import ExportError, OptionError
from lstm_export.exporting.capture.recurrent import recurrent_capture
from lstm_export.exporting.graph.adapters import DOWN, UP
from lstm_export.exporting.graph.opset import (
    OPSETS,
    check_versions,
    set_ir_version,
    set_opset,
)
from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.lowering.recurrent import lower_recurrent
from lstm_export.exporting.translate import translate

# torch's exporter warns about torch.
pytestmark = pytest.mark.filterwarnings("ignore")


class Model(nn.Module):
    """Recurrent layers and a function of them."""

    def __init__(self, function: Callable[[Model, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.lstm = nn.LSTM(6, 8, 2, batch_first=True)
        self.gru = nn.GRU(6, 8, batch_first=True, bidirectional=True)
        self.rnn = nn.RNN(6, 8, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 3)
        self.embedding = nn.Embedding(12, 6)
        self.convolution = nn.Conv1d(6, 6, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def attention(model: Model, x: Tensor) -> Tensor:
    y = model.norm(model.lstm(x)[0])
    weights = torch.softmax(y @ y.transpose(1, 2) / 8**0.5, -1)
    return model.head((weights @ y).mean(1))


def many_operators(model: Model, x: Tensor) -> Tensor:
    y = functional.pad(model.lstm(x)[0], (0, 0, 2, 0))[:, 1:]
    first, second = y.chunk(2, -1)
    y = torch.cat([first.amax(1), second.sum(1), second.prod(1), first.amin(1)], -1)
    return functional.normalize(y, dim=-1) + y.norm(dim=-1, keepdim=True)


def uneven_parts(model: Model, x: Tensor) -> Tensor:
    parts = model.head(model.rnn(x)[0]).chunk(2, -1)
    return torch.cat([parts[1], parts[0]], -1)


MODELS: dict[str, Callable[[Model, Tensor], Tensor]] = {
    "lstm": lambda m, x: m.head(m.lstm(x)[0][:, -1]),
    "bidirectional gru": lambda m, x: m.gru(x)[0].flatten(2),
    "attention": attention,
    "many operators": many_operators,
    "uneven parts": uneven_parts,
    "convolution": lambda m, x: m.rnn(functional.mish(m.convolution(x.transpose(1, 2)).mT))[0],
    "embedding": lambda m, x: m.rnn(m.embedding(x.abs().long()))[0] if x.ndim == 2 else x.cumsum(1),
    "casts and comparisons": lambda m, x: torch.where(
        m.lstm(x)[0] > 0, 1.0, torch.arange(8).float().clamp(max=2)
    ),
}

SCAN = """
<ir_version: 8, opset_import: ["" : 18]>
scanned (float[batch, 4] state, float[sequence_length, batch, 4] x)
    => (float[batch, 4] last, float[sequence_length, batch, 2] y)
<int64[1] axes = {-1}, int64[2] reach = {0, 1}, int64[1] second = {1}>
{
    last, y = Scan <num_scan_inputs = 1, body = step
        (float[batch, 4] h, float[batch, 4] x_t) => (float[batch, 4] new, float[batch, 2] y_t)
        {
            mean = ReduceMean <keepdims = 1> (x_t, axes)
            sum = Add (h, mean)
            new = Tanh (sum)
            left, right = Split <axis = 1, num_outputs = 2> (new)
            total = Mish (left)
            padded = Pad (right, reach, , second)
            biggest = ReduceMax <keepdims = 1> (padded, axes)
            y_t = Mul (total, biggest)
        }> (state, x)
}
"""


def exported(function: Callable[[Model, Tensor], Tensor]) -> bytes:
    torch.manual_seed(0)
    module = Model(function).eval()
    oblivious = shape_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with torch.no_grad(), recurrent_capture(module), oblivious:
        program = torch.export.export(
            module,
            (torch.zeros(2, 5, 6),),
            dynamic_shapes=({0: Dim.AUTO, 1: Dim.AUTO, 2: None},),
            strict=False,
        )
    model = translate(program, input_names=["x"], output_names=["output"])
    lower_recurrent(model, "portable")
    return ir.to_proto(model).SerializeToString()


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    made = {name: exported(function) for name, function in MODELS.items()}
    return {**made, "scan": parser.parse_model(SCAN).SerializeToString()}


def at(content: bytes, version: int) -> onnx.ModelProto:
    model = ir.from_proto(onnx.load_from_string(content))
    tidy(model)
    set_opset(model, version)
    set_ir_version(model, 8)
    return ir.to_proto(model)


def run(proto: onnx.ModelProto) -> list[Any]:
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    generator = np.random.default_rng(0)
    sizes = {"sequence_length": 7}
    feeds = {
        value.name: generator.normal(
            size=[d if isinstance(d, int) else sizes.get(d, 3) for d in value.shape]
        ).astype(np.float32)
        for value in session.get_inputs()
    }
    return list(session.run(None, feeds))


@pytest.mark.parametrize("version", OPSETS)
@pytest.mark.parametrize("name", [*MODELS, "scan"])
def test_every_opset_gives_the_numbers_of_18(
    name: str, version: int, contents: dict[str, bytes]
) -> None:
    proto = at(contents[name], version)
    assert [(one.domain, one.version) for one in proto.opset_import] == [("", version)]
    onnx.checker.check_model(proto, full_check=True)
    for got, usual in zip(run(proto), run(at(contents[name], 18)), strict=True):
        np.testing.assert_allclose(got, usual, rtol=1e-6, atol=1e-6)


def test_unchanged_graphs_fail_at_opset_17(contents: dict[str, bytes]) -> None:
    proto = at(contents["attention"], 18)
    proto.opset_import[0].version = 17
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(proto, full_check=True)


def graph(body: str, inputs: str = "float[n, 6] x", opset: int = 18) -> ir.Model:
    text = f"""<ir_version: 8, opset_import: ["" : {opset}]>
        g ({inputs}) => (float[a, b] y) {{ {body} }}"""
    return ir.from_proto(parser.parse_model(text))


@pytest.mark.parametrize(
    ("body", "version", "named"),
    [
        ("y = ReduceMean (x, axes)", 17, "ReduceMean over axes that are computed"),
        ("y = BitwiseNot (x)", 17, "BitwiseNot"),
        ('y = ScatterND <reduction = "max"> (x, axes, x)', 17, "ScatterND with reduction='max'"),
        ("y = Resize <antialias = 1> (x)", 17, "Resize with antialias=1"),
        ("y = GroupNormalization <num_groups = 2> (x, x, x)", 21, "GroupNormalization"),
        ("y = NoSuchOperator (x)", 20, "NoSuchOperator is no operator of opset 18"),
    ],
)
def test_an_operator_without_a_form_is_named(body: str, version: int, named: str) -> None:
    model = graph(body, "float[n, 6] x, int64[m] axes")
    with pytest.raises(ExportError, match=named):
        set_opset(model, version)


def test_reductions_keep_their_meaning_without_axes() -> None:
    model = graph("s = ReduceMin <noop_with_empty_axes = 1> (x) y = ReduceMax <keepdims = 0> (s)")
    set_opset(model, 17)
    assert [node.op_type for node in model.graph] == ["Identity", "ReduceMax"]
    assert list(model.graph[1].attributes) == ["keepdims"]


def test_renamed_and_moved_attributes_follow() -> None:
    model = graph('y = GridSample <mode = "bicubic"> (x, x)')
    set_opset(model, 20)
    assert model.graph[0].attributes["mode"].as_string() == "cubic"
    model = graph("y = DFT <onesided = 1> (x)")
    set_opset(model, 20)
    assert list(model.graph[0].attributes) == ["onesided"]
    axis = model.graph[0].inputs[2]
    assert axis is not None
    assert axis.const_value is not None
    assert axis.const_value.numpy().tolist() == 1


def test_every_change_of_form_between_the_opsets_is_covered() -> None:
    """Of all operators, those of which something was renamed, moved or dropped have an adapter."""
    schemas = [s for s in onnx.defs.get_all_schemas_with_history() if s.domain == ""]
    uncovered = []
    for new in schemas:
        older = [s for s in schemas if s.name == new.name and s.since_version < new.since_version]
        if new.since_version not in OPSETS or new.since_version <= 17 or not older:
            continue
        old = max(older, key=lambda schema: schema.since_version)
        moved = [i.name for i in old.inputs] != [i.name for i in new.inputs][: len(old.inputs)]
        defaults = {name: a.default_value for name, a in new.attributes.items()}
        lost = any(defaults.get(n) != a.default_value for n, a in old.attributes.items())
        if new.since_version > 18 and (moved or lost) and (new.name, new.since_version) not in UP:
            uncovered.append(f"{new.name} {new.since_version}")
    assert uncovered == []
    changed = {s.name for s in schemas if s.since_version == 18}
    assert set(DOWN) <= changed


@pytest.mark.parametrize("version", [16, 24, 18.0, True, "18", None])
def test_an_opset_that_is_not_on_offer_is_refused(version: Any) -> None:
    with pytest.raises(OptionError, match="from 17 to 23"):
        check_versions(version, 8)


@pytest.mark.parametrize("version", [3, onnx.IR_VERSION + 1, 8.0, None])
def test_an_ir_version_that_is_not_known_is_refused(version: Any) -> None:
    with pytest.raises(OptionError, match=f"from 4 to {onnx.IR_VERSION}"):
        check_versions(18, version)


def test_a_graph_that_is_not_at_18_is_refused() -> None:
    with pytest.raises(ExportError, match="got one at opset 20"):
        set_opset(graph("y = Relu (x)", opset=20), 19)


@pytest.mark.parametrize("version", [4, 8, 10, 13])
@pytest.mark.parametrize("opset", [17, 23])
def test_ir_versions_load_under_every_opset(
    version: int, opset: int, contents: dict[str, bytes]
) -> None:
    model = ir.from_proto(at(contents["lstm"], opset))
    set_ir_version(model, version)
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    assert proto.ir_version == version
    run(proto)


def test_a_type_that_came_later_needs_a_later_format() -> None:
    model = graph("y = Cast <to = 17> (x)")
    model.graph[0].outputs[0].dtype = ir.DataType.FLOAT8E4M3FN
    with pytest.raises(ExportError, match="needs ir_version 9"):
        set_ir_version(model, 8)
    set_ir_version(model, 9)
