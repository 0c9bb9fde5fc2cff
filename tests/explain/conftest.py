"""Small ONNX files with one recurrent operator each, made for the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

INPUT, HIDDEN = 2, 3
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@pytest.fixture
def one_node(tmp_path: Path) -> Callable[..., Path]:
    """A function from an operator and its attributes to an ONNX file: x (batch, sequence_length,
    2) through the node and a sum over its units; `lengths` gives it a second input, `weights`
    takes the place of random W, R and B."""
    from onnx import TensorProto, helper, numpy_helper, save

    def make(
        op: str,
        *,
        lengths: bool = False,
        weights: dict[str, np.ndarray[Any, Any]] | None = None,
        **attributes: Any,
    ) -> Path:
        rng = np.random.default_rng(1)
        rows = _GATES[op] * HIDDEN
        directions = 2 if attributes.get("direction") == "bidirectional" else 1
        shapes = {"W": (rows, INPUT), "R": (rows, HIDDEN), "B": (2 * rows,)}
        drawn = {
            name: rng.normal(size=(directions, *shape)).astype("f4")
            for name, shape in shapes.items()
        } | (weights or {})
        given = ["time_major", "W", "R", "B", *(["lengths"] if lengths else [])]
        nodes = [
            helper.make_node("Transpose", ["x"], ["time_major"], perm=[1, 0, 2]),
            helper.make_node(op, given, ["y", "y_h"], "cell", hidden_size=HIDDEN, **attributes),
            helper.make_node("ReduceSum", ["y_h", "axes"], ["output"], keepdims=0),
        ]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "sequence_length", 2])
        n = helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"])
        output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", HIDDEN])
        constants = [numpy_helper.from_array(value, name) for name, value in drawn.items()]
        constants.append(numpy_helper.from_array(np.array([0], "i8"), "axes"))
        inputs = [x, n] if lengths else [x]
        graph = helper.make_graph(nodes, "graph", inputs, [output], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        path = tmp_path / f"{op}.onnx"
        save(model, path)
        return path

    return make


@pytest.fixture
def two_features(tmp_path: Path) -> str:
    """A table of twenty steps of two features."""
    from lstm_export.data.write import csv_text

    values = np.random.default_rng(2).normal(size=(20, INPUT)).round(3)
    path = tmp_path / "steps.csv"
    path.write_text(csv_text({"a": values[:, 0].tolist(), "b": values[:, 1].tolist()}))
    return str(path)
