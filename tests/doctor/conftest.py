"""The small graphs of `docs/matrix/graphs.py`, which runtimes are measured on."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import onnx
import pytest

GRAPHS = Path(__file__).resolve().parents[2] / "docs" / "matrix" / "graphs.py"


@pytest.fixture(scope="session")
def graphs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("graphs", GRAPHS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def recurrent(graphs: ModuleType) -> Callable[..., onnx.ModelProto]:
    made: Callable[..., onnx.ModelProto] = graphs.recurrent_graph
    return made


@pytest.fixture(scope="session")
def loop(graphs: ModuleType) -> Callable[..., onnx.ModelProto]:
    made: Callable[..., onnx.ModelProto] = graphs.loop_graph
    return made


@pytest.fixture(scope="session")
def graph_of(graphs: ModuleType) -> Callable[..., onnx.ModelProto]:
    made: Callable[..., onnx.ModelProto] = graphs.model
    return made
