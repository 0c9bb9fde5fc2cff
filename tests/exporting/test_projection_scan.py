"""A projected LSTM step by step, in onnxruntime, against torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from lstm_export.contract import Contract, GraphSpec, TensorSpec
from lstm_export.exporting.lowering import projection_scan, whole
from lstm_export.exporting.module import export_graph
from lstm_export.exporting.target import Target

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported:UserWarning")


class Projected(nn.Module):
    """Everything a projected LSTM computes."""

    def __init__(self, hidden_size: int, proj_size: int, **options: Any) -> None:
        super().__init__()
        self.layers = nn.LSTM(4, hidden_size, proj_size=proj_size, **options)

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        y, (h, c) = self.layers(x, state or None)
        return y, h, c


def graph_of(module: Projected, with_state: bool) -> GraphSpec:
    layers = module.layers
    directions = 2 if layers.bidirectional else 1
    states = [
        (name, (layers.num_layers * directions, "batch", size))
        for name, size in (("h", layers.proj_size), ("c", layers.hidden_size))
    ]
    time = ("batch", "sequence_length") if layers.batch_first else ("sequence_length", "batch")
    return GraphSpec(
        (
            TensorSpec("x", "float32", (*time, 4)),
            *(TensorSpec(f"initial_{n}", "float32", axes) for n, axes in states if with_state),
        ),
        (
            TensorSpec("y", "float32", (*time, directions * layers.proj_size)),
            *(TensorSpec(f"final_{name}", "float32", axes) for name, axes in states),
        ),
    )


def feeds(graph: GraphSpec, batch: int, length: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1000 * batch + length)
    sizes = {"batch": batch, "sequence_length": length}
    return {
        spec.name: torch.randn(
            [sizes[axis] if isinstance(axis, str) else axis for axis in spec.axes],
            generator=generator,
        )
        for spec in graph.inputs
    }


def exported(module: Projected, graph: GraphSpec, target: Target) -> bytes:
    args = list(feeds(graph, 2, 5).values())
    return export_graph(module, args, Contract("module", graph), target=target)


def operators(content: bytes) -> set[str]:
    return {node.op_type for node in onnx.load_from_string(content).graph.node}


def check(module: Projected, graph: GraphSpec, content: bytes) -> None:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for batch, length in [(1, 1), (4, 9), (3, 60)]:
        given = feeds(graph, batch, length)
        got = session.run(None, {name: tensor.numpy() for name, tensor in given.items()})
        with torch.no_grad():
            usual = module(*given.values())
            exact = module.double()(*(tensor.double() for tensor in given.values()))
            module.float()
        for spec, value, plain, reference in zip(graph.outputs, got, usual, exact, strict=True):
            assert value.shape == tuple(reference.shape), spec.name
            own = np.abs(plain.numpy() - reference.numpy()).max()
            bound = max(4 * own, 2e-6 * np.abs(reference.numpy()).max())
            assert np.abs(value - reference.numpy()).max() <= bound, (spec.name, batch, length)


@pytest.mark.parametrize("with_state", [False, True], ids=["without state", "with state"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bidirectional": True, "batch_first": True},
        {"num_layers": 2, "bidirectional": True},
        {"num_layers": 3, "bias": False, "batch_first": True},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_a_scan_gives_torchs_numbers(
    options: dict[str, Any], with_state: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "scan_pays", lambda *sizes: True)
    torch.manual_seed(0)
    module = Projected(6, 3, **options).eval()
    graph = graph_of(module, with_state)
    content = exported(module, graph, "onnxruntime")
    assert "Scan" in operators(content)
    assert "LSTM" not in operators(content)
    check(module, graph, content)


@pytest.mark.parametrize("rank", [1, 3], ids=["rank 1", "ill-conditioned"])
def test_no_projection_is_too_ill_conditioned_for_the_operator(rank: int) -> None:
    torch.manual_seed(0)
    module = Projected(6, 3).eval()
    with torch.no_grad():
        scale = torch.tensor([1.0, 0.0, 0.0] if rank == 1 else [1.0, 1e-3, 1e-6])
        left, right = torch.linalg.qr(torch.randn(3, 3))[0], torch.linalg.qr(torch.randn(6, 3))[0]
        module.layers.weight_hr_l0.copy_(left @ torch.diag(scale) @ right.T)
    graph = graph_of(module, with_state=True)
    for target in ("portable", "onnxruntime"):
        content = exported(module, graph, target)
        assert "LSTM" in operators(content)
        check(module, graph, content)


def test_large_layers_go_step_by_step_in_onnxruntime_alone() -> None:
    torch.manual_seed(0)
    module = Projected(256, 16).eval()
    graph = graph_of(module, with_state=False)
    content = exported(module, graph, "onnxruntime")
    assert "Scan" in operators(content)
    check(module, graph, content)
    assert "LSTM" in operators(exported(module, graph, "portable"))


def test_the_rule_says_what_was_measured() -> None:
    pays = projection_scan.scan_pays
    assert [h for h in (32, 64, 128, 256, 512) if pays(h, h // 8)] == [256, 512]
    assert [h for h in (32, 64, 128, 256, 512) if pays(h, h // 4)] == [256, 512]
    assert [h for h in (32, 64, 128, 256, 512) if pays(h, h // 2)] == [512]


def test_a_portable_projection_is_one_that_every_runtime_runs() -> None:
    module = Projected(5, 2, num_layers=2, bidirectional=True, batch_first=True).eval()
    graph = graph_of(module, with_state=True)
    content = exported(module, graph, "portable")
    check(module, graph, content)
    loaded = onnx.load_from_string(content).graph
    # tract refuses a Pad by computed sizes, and OpenCV crashes in a product of more axes than two
    # on both sides once a sequence is longer than the first.
    assert not operators(content) & {"Pad", "Scan", "Loop"}
    ranks = {tensor.name: len(tensor.dims) for tensor in loaded.initializer}
    products = [node for node in loaded.node if node.op_type == "MatMul"]
    assert len(products) == 8
    assert {ranks[node.input[1]] for node in products} == {2}
