"""Module bundles with a stream graph, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from lstm_export.bundle.manifest import Manifest, Provenance
from lstm_export.bundle.onnx_file import read_onnx
from lstm_export.bundle.write import write_bundle
from lstm_export.runtime.graph_model import GraphModel
from lstm_export.runtime.load import load

WIDTH, VOCABULARY = 3, 5
B, S = "batch", "sequence_length"


def _graph(*, carried: bool) -> bytes:
    """Sums: each step adds its value, its token's vector and the bias of the whole series.

    `every` (batch, sequence_length, 3) is the sum after each step, `last` (batch, 3) after the
    last one. The state is the sum, with its batch axis in the middle, and a count of steps.
    """
    table = np.arange(VOCABULARY * WIDTH, dtype=np.float32).reshape(VOCABULARY, WIDTH)
    constants = {
        "table": table,
        "one": np.array([1]),
        "zero": np.array(0),
        "minus": np.array([-1]),
        "axis1": np.array([1]),
        "end": np.array([2**31]),
        "axis": np.array(1),
    }
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["vectors"]),
        helper.make_node("Unsqueeze", ["bias", "axis1"], ["biases"]),
        helper.make_node("Add", ["value", "vectors"], ["given"]),
        helper.make_node("Add", ["given", "biases"], ["sums"]),
        helper.make_node("CumSum", ["sums", "axis"], ["summed"]),
    ]
    inputs = {
        "value": (TensorProto.FLOAT, [B, S, WIDTH]),
        "tokens": (TensorProto.INT64, [B, S]),
        "bias": (TensorProto.FLOAT, [B, WIDTH]),
    }
    outputs = {
        "every": (TensorProto.FLOAT, [B, S, WIDTH]),
        "last": (TensorProto.FLOAT, [B, WIDTH]),
    }
    if carried:
        nodes += [
            helper.make_node("Transpose", ["initial_sum"], ["before"], perm=[1, 0, 2]),
            helper.make_node("Add", ["summed", "before"], ["every"]),
            helper.make_node("Shape", ["value"], ["steps"], start=1, end=2),
            helper.make_node("Add", ["initial_count", "steps"], ["final_count"]),
        ]
        state = {"sum": (TensorProto.FLOAT, [1, B, WIDTH]), "count": (TensorProto.INT64, [B])}
        inputs |= {f"initial_{name}": kind for name, kind in state.items()}
        outputs |= {f"final_{name}": kind for name, kind in state.items()}
    else:
        nodes.append(helper.make_node("Identity", ["summed"], ["every"]))
    nodes += [
        helper.make_node("Slice", ["every", "minus", "end", "axis1"], ["final"]),
        helper.make_node("Squeeze", ["final", "axis1"], ["last"]),
    ]
    if carried:
        nodes.append(helper.make_node("Transpose", ["final"], ["final_sum"], perm=[1, 0, 2]))
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(name, *kind) for name, kind in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    body: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return body


@pytest.fixture(scope="session")
def sums_bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A bundle of sums, changed as the keywords say; `stream=False` leaves the stream graph out."""

    def make(*, stream: bool = True, **changed: object) -> Path:
        folder = tmp_path_factory.mktemp("sums")
        graphs = {"model.onnx": _graph(carried=False)}
        if stream:
            graphs["stream.onnx"] = _graph(carried=True)
        specs = {}
        for name, body in graphs.items():
            (folder / name).write_bytes(body)
            specs[name] = read_onnx(str(folder / name)).spec
        manifest = Manifest("module", specs, 18, 8, {}, Provenance("test"))
        path = folder / "bundle"
        write_bundle(path, replace(manifest, **changed), graphs)  # type: ignore[arg-type]
        return path

    return make


@pytest.fixture(scope="session")
def sums(sums_bundle: Callable[..., Path]) -> GraphModel:
    """Sums whose state begins at (10, 20, 30)."""
    start = {"initial_sum": ((10.0, 20.0, 30.0),)}
    model = load(sums_bundle(independent_rows=True, stream_start=start))
    assert isinstance(model, GraphModel)
    return model
