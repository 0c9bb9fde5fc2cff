"""Graphs as bytes and as files: what protobuf would write, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from lstm_export.bundle.onnx_file import read_onnx
from lstm_export.errors import ExportError, OutputError
from lstm_export.exporting.graph.files import written
from lstm_export.exporting.graph.serialise import model_contents, serialise

RNG = np.random.default_rng(0)
WEIGHTS: dict[str, Any] = {
    "W": RNG.normal(size=(1, 80, 30)).astype(np.float32),
    "R": RNG.normal(size=(20, 80, 1)).astype(np.float32).T,  # not contiguous
    "B": np.zeros((1, 160), np.float32),
    "big": RNG.normal(size=(20, 4096)).astype(np.float32),
    "table": np.arange(200, dtype=np.int64) % 3,
    "shape": np.array([-1, 4096], np.int64),
    "scale": np.array(2, np.float32),
    "none": np.zeros((0, 3), np.float32),
}


def model() -> ir.Model:
    info, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    nodes = [
        node("LSTM", ["x", "W", "R", "B"], ["y", "", ""], hidden_size=20),
        node("MatMul", ["y", "big"], ["m"]),
        node("Mul", ["m", "scale"], ["s"]),
        node("Reshape", ["s", "shape"], ["r"]),
        node("Gather", ["r", "table"], ["output"], axis=1),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "model",
        [info("x", onnx.TensorProto.FLOAT, ["sequence_length", "batch", 30])],
        [info("output", onnx.TensorProto.FLOAT, ["rows", 200])],
    )
    opsets = [onnx.helper.make_opsetid("", 18)]
    made = ir.from_proto(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8))
    by_name = {value.name: value for node in made.graph for value in node.inputs if value}
    for name, array in WEIGHTS.items():
        value = by_name.get(name) or ir.Value(name=name)
        value.const_value = ir.tensor(array, name=name)
        value.shape, value.dtype = ir.Shape(array.shape), value.const_value.dtype
        made.graph.register_initializer(value)
    made.metadata_props["key"] = "value"
    return made


def run(file: bytes | Path) -> Any:
    content = file if isinstance(file, bytes) else str(file)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(size=(3, 2, 30)).astype(np.float32)
    return session.run(None, {"x": x})[0]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def export(path: Path, **options: Any) -> None:
    with written(model(), path, **options):
        pass


def test_the_bytes_are_those_of_protobuf() -> None:
    usual = ir.to_proto(model()).SerializeToString(deterministic=True)
    assert serialise(model()) == usual
    assert onnx.load_from_string(usual).graph.initializer[1].dims == [1, 80, 20]


def test_the_model_keeps_its_weights() -> None:
    one = model()
    before = {name: value.const_value for name, value in one.graph.initializers.items()}
    for external in (False, True):
        model_contents(one, "m.onnx", external_data=external)
    assert {name: value.const_value for name, value in one.graph.initializers.items()} == before


def test_weights_beside_the_file_give_the_same_numbers(tmp_path: Path) -> None:
    with written(model(), tmp_path / "model.onnx", external_data=True) as found:
        assert found.model.parent != tmp_path
        np.testing.assert_array_equal(run(found.model), run(serialise(model())))
        assert not (tmp_path / "model.onnx").exists()
    assert sorted(files(tmp_path)) == ["model.onnx", "model.onnx.data"]
    assert found.data == tmp_path / "model.onnx.data"
    assert found.bytes == sum(map(len, files(tmp_path).values()))
    np.testing.assert_array_equal(run(tmp_path / "model.onnx"), run(serialise(model())))
    onnx.checker.check_model(str(tmp_path / "model.onnx"), full_check=True)
    loaded = onnx.load(tmp_path / "model.onnx")
    for tensor in loaded.graph.initializer:
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), WEIGHTS[tensor.name])
    # What a shape is computed from, or is hardly there, stays where it was.
    tensors = read_onnx(tmp_path / "model.onnx").graph.initializers
    inside = [name for name, tensor in tensors.items() if tensor.location is None]
    assert inside == ["shape", "scale", "none"]


def test_large_weights_start_on_a_page(tmp_path: Path) -> None:
    export(tmp_path / "model.onnx", external_data=True)
    proto = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    places = {
        tensor.name: {entry.key: entry.value for entry in tensor.external_data}
        for tensor in proto.graph.initializer
        if tensor.external_data
    }
    assert int(places["big"]["offset"]) % 4096 == 0
    assert all(int(place["offset"]) % 64 == 0 for place in places.values())


def test_the_same_model_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        export(tmp_path / name / "model.onnx", external_data=True)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_file_that_would_be_too_large_is_split_by_itself(tmp_path: Path) -> None:
    with written(model(), tmp_path / "model.onnx", limit=300_000) as found:
        assert found.data is not None
    assert sorted(files(tmp_path)) == ["model.onnx", "model.onnx.data"]
    size = len(serialise(model()))
    assert len(serialise(model(), limit=size)) == size
    with pytest.raises(ExportError, match=rf"more than the {size - 1} .*external_data=True"):
        serialise(model(), limit=size - 1)


def test_a_failure_within_the_block_leaves_the_old_files(tmp_path: Path) -> None:
    old = {"model.onnx": b"old", "model.onnx.data": b"old data"}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ZeroDivisionError), written(model(), tmp_path / "model.onnx"):
        raise ZeroDivisionError
    # What goes wrong in a user's own code is not ours to explain.
    with pytest.raises(FileNotFoundError), written(model(), tmp_path / "model.onnx"):
        (tmp_path / "missing").read_bytes()
    assert files(tmp_path) == old
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("old", [{}, {"model.onnx": b"old", "model.onnx.data": b"old data"}])
def test_one_file_that_cannot_be_placed_takes_the_other_back(
    old: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target.name == "model.onnx" and not self.name.endswith(".old"):
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match="No space left"):
        export(tmp_path / "model.onnx", external_data=True)
    assert files(tmp_path) == old


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.onnx"
    link.symlink_to(tmp_path / "real" / "model.onnx")
    export(link, external_data=True)
    assert link.is_symlink()
    assert sorted(files(tmp_path / "real")) == ["model.onnx", "model.onnx.data"]


@pytest.mark.parametrize("path", ["missing/model.onnx", "."])
def test_a_place_that_cannot_be_written(path: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        export(tmp_path / path)
    assert list(tmp_path.iterdir()) == []


def broken(change: str) -> ir.Model:
    one = model()
    if change == "a weight of another shape":
        value = one.graph.initializers["W"]
        value.const_value = ir.tensor(np.zeros((1, 40, 30), np.float32), name="W")
        value.shape = ir.Shape([1, 40, 30])
        one.graph.initializers["big"].const_value = ir.tensor(np.zeros((7, 7), np.float32))
    else:
        next(iter(one.graph)).attributes["no_such"] = ir.AttrInt64("no_such", 1)
    return one


@pytest.mark.parametrize("change", ["a weight of another shape", "an attribute that is not there"])
def test_a_graph_that_is_not_valid_is_refused(change: str, tmp_path: Path) -> None:
    with (
        pytest.raises(ExportError, match="not valid ONNX"),
        written(broken(change), tmp_path / "model.onnx"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_pieces_are_views_of_the_weights() -> None:
    one = model()
    (content,) = model_contents(one, "m.onnx").values()
    big = one.graph.initializers["big"].const_value
    assert big is not None
    assert any(_same_memory(piece, big.numpy()) for piece in content.pieces)


def _same_memory(piece: Sequence[int], array: np.ndarray[Any, Any]) -> bool:
    return isinstance(piece, memoryview) and np.shares_memory(np.asarray(piece), array)
