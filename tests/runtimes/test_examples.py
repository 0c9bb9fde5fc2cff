"""The programs written for a bundle: compiled, run, and compared with `lstm_export.load`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import lstm_export as lx
from lstm_export.bundle.golden import GoldenCase, golden_bytes
from lstm_export.bundle.manifest import Manifest, Provenance
from lstm_export.bundle.read import Bundle, open_bundle
from lstm_export.bundle.write import write_bundle
from lstm_export.compare.tensors import compare
from lstm_export.contract import Contract, GraphSpec, TensorSpec
from lstm_export.exporting.examples.inputs import states_of
from lstm_export.exporting.examples.programs import inputs_by_graph, write_examples
from lstm_export.parity.runtimes import c
from lstm_export.parity.runtimes.nodejs import node_modules

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
BUNDLES = sorted(path.parent.name for path in ARTIFACTS.glob("*/bundle"))
ODD = "odd names, two outputs, a start"
Answers = list[dict[str, npt.NDArray[Any]]]
Programs = tuple[Bundle, Path]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Programs]:
    """A function from a bundle's name to the bundle and its programs, written once."""
    made: dict[str, Programs] = {}

    def make(name: str) -> Programs:
        if name not in made:
            folder = tmp_path_factory.mktemp("programs")
            path = ARTIFACTS / name / "bundle"
            if name == ODD:
                path = odd_bundle(folder / 'a "bundle" of % é')
            write_examples(path, folder / "examples")
            made[name] = open_bundle(path), folder / "examples"
        return made[name]

    return make


def odd_bundle(path: Path) -> Path:
    """A stream and a model of small graphs whose names are anything but identifiers."""
    from onnx import TensorProto, helper

    data, mask, label = 'x "quoted" \\ % ?', '* mask " é', 'the """ label'
    sums, state = "sum %d", "h"
    types = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "bool": TensorProto.BOOL}
    axes: tuple[str | int, ...] = ("batch", "sequence_length")
    x, m = TensorSpec(data, "float32", axes), TensorSpec(mask, "bool", axes)
    out, s = TensorSpec(sums, "float32", axes), TensorSpec(label, "int32", axes)
    begin, end = (TensorSpec(f"{e}_{state}", "float32", ("batch", 2)) for e in ("initial", "final"))
    specs = {
        "model.onnx": GraphSpec((x, m), (s, out)),
        # The states are neither at the same places nor last.
        "stream.onnx": GraphSpec((begin, x, m), (s, out, end)),
    }
    nodes = [
        helper.make_node("Cast", [mask], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [data, "mask"], [sums]),
        helper.make_node("Cast", [mask], [label], to=TensorProto.INT32),
    ]
    carry = [
        helper.make_node("ReduceSum", [data, "one"], ["total"], keepdims=1),
        helper.make_node("Add", [begin.name, "total"], [end.name]),
    ]
    contents, cases = {}, []
    for name, spec in specs.items():
        infos = [
            [helper.make_tensor_value_info(t.name, types[t.dtype], t.axes) for t in side]
            for side in (spec.inputs, spec.outputs)
        ]
        body = [*nodes, *(carry if name == "stream.onnx" else ())]
        one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
        graph = helper.make_graph(body, "odd", *infos, [one] * (name == "stream.onnx"))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        start = {begin.name: (0.25, -3.0)} if name == "stream.onnx" else None
        contract = Contract("module", spec, stream_start=start)
        helper.set_model_props(model, {"lstm_export": contract.to_json()})
        contents[name] = model.SerializeToString()
        values = {
            data: np.linspace(-1, 1, 40, dtype=np.float32).reshape(4, 10),
            mask: np.arange(40).reshape(4, 10) % 3 == 0,
            begin.name: np.ones((4, 2), np.float32),
        }
        given = {tensor.name: values[tensor.name] for tensor in spec.inputs}
        cases.append(GoldenCase(name, "case", given, {}, {}))
    contents["golden.npz"] = golden_bytes(cases)
    origin = Provenance("test")
    manifest = Manifest("module", specs, 18, 8, {}, origin, stream_start={begin.name: (0.25, -3.0)})
    write_bundle(path, manifest, contents)
    return path


def expected(bundle: Bundle, graph: str) -> Answers:
    """What this package says of the programs' inputs; of a stream, for both chunks."""
    spec = bundle.manifest.graphs[graph]
    given = {one.spec.name: one.array for one in inputs_by_graph(bundle)[graph]}
    names = [tensor.name for tensor in spec.outputs]
    if states := states_of(graph, spec):
        model: Any = lx.load(bundle.path / graph)
        first = model(given)
        return [first, model(given | {name: first[end] for name, end in states.items()})]
    model = lx.load(bundle.path)
    if bundle.manifest.task == "module":
        answer = model(given)
    elif graph == "forecast.onnx":
        known = [column.name for column in bundle.manifest.forecast.known]  # type: ignore[union-attr]
        future = {name: given["future"][..., i] for i, name in enumerate(known)}
        answer = model.forecast(given["x"], horizon=int(given["horizon"]), future=future or None)
    elif "lengths" in given:
        answer = model(given["x"], lengths=given["lengths"])
        if isinstance(answer, list):  # an answer to every step: the graph has 0 behind the ends
            padded = np.zeros((*given["x"].shape[:2], answer[0].shape[-1]), np.float32)
            for row, steps in zip(padded, answer, strict=True):
                row[: len(steps)] = steps
            answer = padded
    else:
        answer = model(given["x"])
    return [answer if len(names) > 1 else {names[0]: answer}]


def compared(printed: str, bundle: Bundle, graph: str, *, shapes: bool) -> None:
    """Every printed output against the expected one, under the parity rule."""
    lines = printed.splitlines()
    spec = bundle.manifest.graphs[graph]
    for answers in expected(bundle, graph):
        for tensor in spec.outputs:
            wanted, line = answers[tensor.name], lines.pop(0)
            label = f"{tensor.name} {list(wanted.shape)}" if shapes else tensor.name
            assert line.startswith(f"{label} ")
            values = np.array(line.removeprefix(label).split(), np.float64).astype(tensor.dtype)
            reference = wanted.astype(np.float64) if wanted.dtype.kind == "f" else wanted
            result = compare(tensor.name, values.reshape(wanted.shape), reference)
            assert result.passed, result.reason
    assert lines == []


def said(command: list[str], folder: Path, **variables: str) -> str:
    """What a command prints, without a word on stderr."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def graphs_of(*names: str) -> list[tuple[str, str]]:
    found = [
        (name, graph)
        for name in names
        for graph in open_bundle(ARTIFACTS / name / "bundle").manifest.graphs
    ]
    return [*found, (ODD, "model.onnx"), (ODD, "stream.onnx")]


EVERY = pytest.mark.parametrize(("name", "graph"), graphs_of(*BUNDLES))


@EVERY
def test_every_program_is_short(name: str, graph: str, programs: Callable[[str], Programs]) -> None:
    _, folder = programs(name)
    for path in folder.glob(f"{Path(graph).stem}.*"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 60, path.name


@EVERY
def test_python(name: str, graph: str, programs: Callable[[str], Programs]) -> None:
    bundle, folder = programs(name)
    printed = said([sys.executable, "-W", "error", f"{Path(graph).stem}.py"], folder)
    compared(printed, bundle, graph, shapes=True)


@EVERY
def test_node(
    name: str, graph: str, programs: Callable[[str], Programs], need: Callable[[str], None]
) -> None:
    need("onnxruntime-node")
    bundle, folder = programs(name)
    packages = node_modules(("onnxruntime-node",))
    assert packages is not None
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(packages)
    printed = said(["node", f"{Path(graph).stem}.mjs"], folder)
    compared(printed, bundle, graph, shapes=True)


@EVERY
def test_c(
    name: str,
    graph: str,
    programs: Callable[[str], Programs],
    need: Callable[[str], None],
    tmp_path: Path,
) -> None:
    need("c")
    bundle, folder = programs(name)
    library = c.shared_library()
    assert library is not None
    # As a release of onnxruntime has it: a plain name for the linker, the major version's for the
    # loader.
    for link in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (tmp_path / link).symlink_to(library.resolve())
    stem, warnings = Path(graph).stem, ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    paths = ["-I", str(c.header_folder()), "-L", str(tmp_path), "-lonnxruntime"]
    program = str(tmp_path / stem)
    said([*(c.compiler() or ()), *warnings, f"{stem}.c", "-o", program, *paths], folder)
    compared(said([program], folder, LD_LIBRARY_PATH=str(tmp_path)), bundle, graph, shapes=False)


def test_a_graph_that_is_elsewhere_is_an_argument(
    programs: Callable[[str], Programs], tmp_path: Path
) -> None:
    bundle, folder = programs("sunspots")
    elsewhere = tmp_path / "moved.onnx"
    elsewhere.write_bytes(bundle.read("model.onnx"))
    program = tmp_path / "model.py"
    program.write_bytes((folder / "model.py").read_bytes())
    printed = said([sys.executable, str(program), str(elsewhere)], tmp_path)
    compared(printed, bundle, "model.onnx", shapes=True)


def test_compared_can_fail(programs: Callable[[str], Programs]) -> None:
    bundle, _ = programs("sunspots")
    wanted = expected(bundle, "model.onnx")[0]["output"]
    words = shlex.join(map(str, (wanted * 1.00001).ravel()))
    with pytest.raises(AssertionError, match="values are off"):
        compared(f"output {words}", bundle, "model.onnx", shapes=False)
