"""ONNX Runtime in Node.js, as WebAssembly and in Chromium: the numbers, the refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest

from lstm_export.bundle.golden import GoldenCase, read_golden
from lstm_export.bundle.read import open_bundle
from lstm_export.compare.tensors import compare_outputs
from lstm_export.errors import OptionError
from lstm_export.parity.runtimes import nodejs
from lstm_export.parity.runtimes.isolated import Isolated
from lstm_export.parity.runtimes.registry import RefusedError, Runner, Subject, adapter, status

BUNDLES = sorted((Path(__file__).resolve().parents[2] / "artifacts").glob("*/bundle"))
RUNTIMES = ("onnxruntime-node", "onnxruntime-web", "chromium")


def golden(bundle: Path, graph: str) -> list[GoldenCase]:
    cases = read_golden(open_bundle(bundle).read("golden.npz"), "golden.npz")
    return [case for case in cases if case.graph == graph]


@contextmanager
def opened(name: str, bundle: Path, graph: str = "model.onnx") -> Iterator[Runner]:
    whole = open_bundle(bundle)
    subject = Subject(graph, whole.read(graph), bundle / graph, whole.manifest.contract(graph))
    runner = adapter(name)(subject)
    assert isinstance(runner, Isolated)
    with closing(runner):
        yield runner


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("name", RUNTIMES)
def test_one_loaded_model_gives_every_golden_value(
    name: str, bundle: Path, need: Callable[[str], None]
) -> None:
    need(name)
    graphs = ["model.onnx"] if name == "chromium" else open_bundle(bundle).manifest.graphs
    for graph in graphs:
        with opened(name, bundle, graph) as runner:
            for case in golden(bundle, graph):
                for one in compare_outputs(runner(case.inputs), case.oracle, case.torch):
                    assert one.passed, (graph, case.name, one.name, one.reason)


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_refused_run_leaves_the_runtime_running(name: str, need: Callable[[str], None]) -> None:
    need(name)
    bundle = next(path for path in BUNDLES if path.parent.name == "sunspots")
    case = golden(bundle, "model.onnx")[0]
    with opened(name, bundle) as runner:
        with pytest.raises(RefusedError, match="x"):
            runner({"other": case.inputs["x"]})
        with pytest.raises(RefusedError, match=r"(?i)rank|dimension"):
            runner({"x": case.inputs["x"][0]})
        assert runner(case.inputs)["output"].dtype == np.float32


@pytest.mark.parametrize("name", RUNTIMES)
def test_what_is_no_model_is_refused_when_loaded(
    name: str, tmp_path: Path, need: Callable[[str], None]
) -> None:
    need(name)
    bundle = next(path for path in BUNDLES if path.parent.name == "sunspots")
    contract = open_bundle(bundle).manifest.contract("model.onnx")
    broken = tmp_path / "model.onnx"
    model = onnx.load(bundle / "model.onnx")
    model.graph.node[0].op_type = "NoSuchOperator"
    broken.write_bytes(model.SerializeToString())
    with pytest.raises(RefusedError, match="NoSuchOperator"):
        adapter(name)(Subject("model.onnx", broken.read_bytes(), broken, contract))


@pytest.mark.parametrize("name", RUNTIMES)
def test_weights_in_a_file_beside_the_model(
    name: str, tmp_path: Path, need: Callable[[str], None]
) -> None:
    need(name)
    bundle = next(path for path in BUNDLES if path.parent.name == "sunspots")
    contract = open_bundle(bundle).manifest.contract("model.onnx")
    path = tmp_path / "model.onnx"
    beside = {"save_as_external_data": True, "location": "model.onnx.data", "size_threshold": 100}
    onnx.save(onnx.load(bundle / "model.onnx"), path, **beside)
    case = golden(bundle, "model.onnx")[0]
    runner = adapter(name)(Subject("model.onnx", path.read_bytes(), path, contract))
    assert isinstance(runner, Isolated)
    with closing(runner):
        (one,) = compare_outputs(runner(case.inputs), case.oracle, case.torch)
    assert one.passed, one.reason


@pytest.mark.parametrize("name", RUNTIMES)
def test_what_is_missing_is_said(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(nodejs.VARIABLE, str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    found = status(name)
    assert not found.installed
    for word in ("Node.js", "npm install --ignore-scripts onnxruntime-", nodejs.VARIABLE):
        assert word in found.how_to_get
    bundle = BUNDLES[0]
    contract = open_bundle(bundle).manifest.contract("model.onnx")
    subject = Subject("model.onnx", b"", bundle / "model.onnx", contract)
    with pytest.raises(OptionError, match=f"{name} is not installed: Node.js"):
        adapter(name)(subject)
