"""Weights in a file beside the graph: loaded, inspected, covered by checksums, hostile ones not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import lstm_export
from lstm_export.bundle import read as reading
from lstm_export.bundle.manifest import Manifest, Provenance
from lstm_export.bundle.onnx_file import parse_onnx, read_onnx
from lstm_export.bundle.read import open_bundle
from lstm_export.bundle.write import write_bundle
from lstm_export.errors import BundleError, ChecksumError
from lstm_export.inspection import inspect_path

WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)
DATA = bytes(64) + WEIGHTS.tobytes()
PLACE = {"location": "model.onnx.data", "offset": "64", "length": "24"}


def graph(**place: str) -> bytes:
    """y = x + w, with w where `place` says."""
    weight = TensorProto(name="w", dims=WEIGHTS.shape, data_type=TensorProto.FLOAT)
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {**PLACE, **place}.items():
        weight.external_data.add(key=key, value=value)
    info = helper.make_tensor_value_info
    made = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [info("x", TensorProto.FLOAT, ["batch", 2, 3])],
        [info("y", TensorProto.FLOAT, ["batch", 2, 3])],
        [weight],
    )
    opsets = [helper.make_opsetid("", 18)]
    content: bytes = helper.make_model(made, ir_version=8, opset_imports=opsets).SerializeToString()
    return content


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(graph())
    (folder / "model.onnx.data").write_bytes(DATA)
    return folder / "model.onnx"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    content = graph()
    spec = parse_onnx(content, "model.onnx").spec
    manifest = Manifest("module", {"model.onnx": spec}, 18, 8, {}, Provenance("test"))
    pieces: dict[str, Any] = {
        "model.onnx": content,
        "model.onnx.data": (DATA[:10], memoryview(DATA)[10:]),
    }
    write_bundle(tmp_path / "bundle", manifest, pieces)
    return tmp_path / "bundle"


def assert_right(path: Path) -> None:
    x = np.ones((5, 2, 3), np.float32)
    np.testing.assert_array_equal(lstm_export.load(path)(x), x + WEIGHTS)


def test_a_bare_file_loads_and_is_inspected(file: Path) -> None:
    assert_right(file)
    found = inspect_path(file)
    assert found.sizes == {"model.onnx": file.stat().st_size, "model.onnx.data": len(DATA)}
    assert found.parameters == 6


def test_a_link_to_a_file_finds_the_data_beside_the_file(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.onnx"
    link.symlink_to(file)
    assert_right(link)
    assert inspect_path(link).sizes["model.onnx.data"] == len(DATA)


def test_a_link_out_of_the_folder_is_refused(file: Path, tmp_path: Path) -> None:
    data = file.with_name("model.onnx.data")
    data.rename(tmp_path / "secret")
    data.symlink_to(tmp_path / "secret")
    for use in (lstm_export.load, read_onnx, inspect_path):
        with pytest.raises(BundleError, match=r"'model\.onnx\.data' leaves the folder"):
            use(file)


@pytest.mark.parametrize("location", ["../secret", "{root}/secret", "sub/../../secret", ".", ""])
def test_a_location_outside_the_folder_is_refused(
    location: str, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(DATA)
    file.write_bytes(graph(location=location.format(root=tmp_path)))
    with pytest.raises(BundleError, match="leaves the folder"):
        lstm_export.load(file)


def test_a_location_in_a_folder_below_is_allowed(file: Path) -> None:
    (file.parent / "weights").mkdir()
    (file.parent / "weights" / "w.bin").write_bytes(DATA)
    file.write_bytes(graph(location="weights/w.bin"))
    assert_right(file)


def test_missing_data(file: Path) -> None:
    file.with_name("model.onnx.data").unlink()
    with pytest.raises(BundleError, match=r"are in model\.onnx\.data, which is missing"):
        lstm_export.load(file)
    file.with_name("model.onnx.data").mkdir()
    with pytest.raises(BundleError, match="which is missing"):
        lstm_export.load(file)


def test_truncated_data(file: Path) -> None:
    file.with_name("model.onnx.data").write_bytes(DATA[:-1])
    with pytest.raises(BundleError, match=r"need 88 bytes of model\.onnx\.data, which has 87"):
        lstm_export.load(file)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"offset": "-1"}, "the offset '-1'"),
        ({"length": "many"}, "the length 'many'"),
        ({"length": "23"}, r"\(2, 3\) of float32 in 23 bytes"),
        ({"offset": "9" * 30}, "need 9+23 bytes|need 10+23 bytes"),
    ],
)
def test_places_that_make_no_sense(place: dict[str, str], message: str, file: Path) -> None:
    file.write_bytes(graph(**place))
    with pytest.raises(BundleError, match=message):
        lstm_export.load(file)


def test_a_bundle_carries_its_data(bundle: Path) -> None:
    assert_right(bundle)
    assert open_bundle(bundle).damages() == ()
    assert inspect_path(bundle).sizes["model.onnx.data"] == len(DATA)
    assert (bundle / "model.onnx.data").read_bytes() == DATA


@pytest.mark.parametrize("large", [1, 1 << 24])
def test_a_changed_weight_is_seen(
    large: int, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LARGE", large)  # read piece by piece, or at once
    assert_right(bundle)
    data = bundle / "model.onnx.data"
    data.write_bytes(DATA[:-1] + b"\0")
    with pytest.raises(ChecksumError, match=r"data was changed"):
        lstm_export.load(bundle)
    assert len(open_bundle(bundle).damages()) == 1
    data.write_bytes(DATA[:-1])
    with pytest.raises(ChecksumError, match="expected 88 bytes, found 87"):
        lstm_export.load(bundle)
    data.unlink()
    with pytest.raises(BundleError, match="listed in the manifest but missing"):
        lstm_export.load(bundle)


def rewritten(bundle: Path, contents: dict[str, bytes]) -> Path:
    """The bundle with other files, all checksums right: what somebody malicious would send."""
    manifest = open_bundle(bundle).manifest
    path = bundle.with_name("rewritten")
    write_bundle(path, manifest, contents)
    return path


def test_a_bundle_uses_no_file_that_its_manifest_does_not_list(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = rewritten(bundle, {"model.onnx": graph(location="other.bin"), "model.onnx.data": DATA})
    (other / "other.bin").write_bytes(DATA)
    with pytest.raises(BundleError, match=r"the manifest lists no other\.bin"):
        lstm_export.load(other)
    alone = bundle.with_name("alone")
    write_bundle(alone, open_bundle(bundle).manifest, {"model.onnx": graph()})
    (alone / "model.onnx.data").write_bytes(DATA)
    monkeypatch.chdir(alone)  # onnxruntime would find it there
    with pytest.raises(BundleError, match=r"the manifest lists no model\.onnx\.data"):
        lstm_export.load(alone)


def test_a_bundle_whose_data_leaves_it_is_refused(bundle: Path) -> None:
    (bundle.parent / "secret").write_bytes(DATA)
    other = rewritten(bundle, {"model.onnx": graph(location="../secret"), "model.onnx.data": DATA})
    with pytest.raises(BundleError, match="leaves the folder"):
        lstm_export.load(other)
    (bundle / "model.onnx.data").unlink()
    (bundle / "model.onnx.data").symlink_to(bundle.parent / "secret")
    with pytest.raises(BundleError, match="leaves the bundle"):
        lstm_export.load(bundle)


def test_a_bundle_whose_data_is_too_short_for_its_graph(bundle: Path) -> None:
    other = rewritten(bundle, {"model.onnx": graph(), "model.onnx.data": DATA[:80]})
    with pytest.raises(BundleError, match="need 88 bytes"):
        lstm_export.load(other)


def test_the_manifest_lists_the_data(bundle: Path) -> None:
    files = json.loads((bundle / "manifest.json").read_text())["files"]
    assert files["model.onnx.data"]["bytes"] == len(DATA)
    onnx.checker.check_model(str(bundle / "model.onnx"), full_check=True)
