"""What export_graph promises beyond numbers."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import (
    METADATA_KEY,
    Column,
    Contract,
    Forecast,
    GraphSpec,
    Recurrent,
    Scaling,
    TensorSpec,
    Window,
)
from lstm_export.errors import ExportError
from lstm_export.exporting.bundles.forecast_graphs import export_forecast, forecast_graphs
from lstm_export.exporting.capture.recurrent import recurrent_capture
from lstm_export.exporting.module import export_graph
from lstm_export.nn.forecaster import Forecaster

X = TensorSpec("x", "float32", ("batch", "sequence_length", 3))
TERMS = Forecast(
    features=(Column("a", "", 0.0, 1.0), Column("b", "", 0.0, 1.0)),
    targets=(Column("b", "", 0.0, 1.0),),
    window=Window(context_length=4, horizon=5, difference=2),
    input_scaling=Scaling("standard", (0.5, 0.25), (2.0, 1.0)),
    target_scaling=Scaling("standard", (0.25,), (1.0,)),
    recurrent=Recurrent("lstm", 2, 4, num_layers=2, proj_size=3),
)


def contract(*axes: str | int) -> Contract:
    return Contract("module", GraphSpec((X,), (TensorSpec("output", "float32", axes),)))


class Sequence(nn.Module):
    """A recurrent layer and a function of what it gives."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layers = nn.LSTM(3, 4, batch_first=True)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.layers(x)[0])


def forecaster() -> Forecaster:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Forecaster(TERMS).eval()


@pytest.mark.slow
def test_the_same_model_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    model = forecaster()
    here = {name: export_forecast(model, name) for name in forecast_graphs(TERMS)}
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import torch
from test_module import TERMS
from lstm_export.exporting.bundles.forecast_graphs import export_forecast
from lstm_export.nn.forecaster import Forecaster
model = Forecaster(TERMS).eval()
model.load_state_dict(torch.load({str(tmp_path / "weights.pt")!r}, weights_only=True))
for name in ("stream.onnx", "model.onnx"):  # the other order, too
    open({str(tmp_path)!r} + "/" + name, "wb").write(export_forecast(model, name))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, cwd=tmp_path)
    for name, content in here.items():
        assert (tmp_path / name).read_bytes() == content, name


def test_a_file_holds_no_path_no_trace_and_no_other_domain() -> None:
    content = export_forecast(forecaster(), LAYOUT.stream)
    model = onnx.load_from_string(content)
    assert b".py" not in content
    assert b"torch" not in content
    assert [prop.key for prop in model.metadata_props] == [METADATA_KEY]
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert model.ir_version == 8
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    initializers = [tensor.name for tensor in model.graph.initializer]
    assert len(initializers) == len(set(initializers))


@pytest.mark.parametrize("target", ["portable", "onnxruntime"])
def test_only_the_portable_target_spells_out_zero_states(target: str) -> None:
    module = Sequence(lambda y: y[:, -1]).eval()
    content = export_graph(module, [torch.zeros(2, 5, 3)], contract("batch", 4), target=target)  # type: ignore[arg-type]
    operators = [node.op_type for node in onnx.load_from_string(content).graph.node]
    assert ("ConstantOfShape" in operators) == (target == "portable")
    assert operators.count("LSTM") == 1


def test_the_module_comes_back_as_it_was() -> None:
    module = Sequence(lambda y: y).eval()
    forward, before = nn.LSTM.forward, {k: v.clone() for k, v in module.state_dict().items()}
    attributes = set(vars(module.layers))
    export_graph(module, [torch.zeros(2, 5, 3)], contract("batch", "sequence_length", 4))
    with pytest.raises(ExportError):
        export_graph(
            Sequence(lambda y: y / 0 if y.shape[1] > 3 else y[:, :1]).eval(),
            [torch.zeros(2, 5, 3)],
            contract("batch", "sequence_length", 4),
        )
    assert nn.LSTM.forward is forward
    assert set(vars(module.layers)) == attributes
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_other_threads_and_other_modules_are_not_disturbed() -> None:
    captured, other = Sequence(lambda y: y), Sequence(lambda y: y)
    x = torch.randn(2, 5, 3)
    expected = captured(x), other(x)
    got: list[Tensor] = []
    with recurrent_capture(captured):
        thread = threading.Thread(target=lambda: got.append(captured(x)))
        thread.start()
        thread.join()
        got.append(other(x))
    assert torch.equal(got[0], expected[0])
    assert torch.equal(got[1], expected[1])


@pytest.mark.parametrize(
    ("function", "axes", "message"),
    [
        (lambda y: y[:, -1] if y.shape[1] > 3 else y[:, 0], ("batch", 4), "branches on a size"),
        (lambda y: y[:, :5].sum(1).reshape(2, 4), ("batch", 4), "axis 0 of x, which came out"),
        (lambda y: y[:, :1], ("batch", "sequence_length", 4), "axis 1 of output, which came out"),
        (lambda y: y[:, 1:], ("batch", "sequence_length", 4), "an axis was baked"),
    ],
    ids=[
        "a branch on a length",
        "a reshape to the traced batch",
        "an output of fixed length",
        "another length",
    ],
)
def test_an_axis_that_would_be_baked_in_is_refused(
    function: Callable[[Tensor], Tensor], axes: tuple[str | int, ...], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        export_graph(Sequence(function).eval(), [torch.zeros(2, 5, 3)], contract(*axes))
