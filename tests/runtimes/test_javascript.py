"""The JavaScript module: tests in Node and in a browser, and what is shipped with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lstm_export as lx
from lstm_export.parity.runtimes import nodejs

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent / "javascript"
MODULE = ROOT / "lstm_export" / "javascript"
Node = Callable[..., str]


@pytest.mark.parametrize("name", ["run", "forecast", "stream", "bundle"])
def test_in_node(name: str, node: Node, need: Callable[[str], None]) -> None:
    need("onnxruntime-web")
    assert "# fail 0" in node("--test", "--test-reporter=tap", HERE / f"{name}.test.mjs")


def test_in_a_browser(node: Node, need: Callable[[str], None]) -> None:
    need("chromium")
    assert "# pass 2" in node("--test", "--test-reporter=tap", HERE / "browser.test.mjs")


def test_the_types_hold(node: Node) -> None:
    folder = nodejs.node_modules(["typescript"])
    if folder is None:
        pytest.skip("typescript is not installed: npm ci in tests/runtimes")
    node(folder / "typescript" / "bin" / "tsc", "-p", HERE / "tsconfig.json")


def test_the_package_has_our_version() -> None:
    described = json.loads((MODULE / "package.json").read_text(encoding="utf-8"))
    assert described["version"] == lx.__version__
    assert (MODULE / described["types"]).is_file()


def test_the_declared_errors_are_those_there_are() -> None:
    words = r"export class (\w+Error) extends (\w+)"
    declared = re.findall(words, (MODULE / "lstm-export.d.ts").read_text(encoding="utf-8"))
    written = re.findall(words, (MODULE / "errors.mjs").read_text(encoding="utf-8"))
    assert declared == written
    for name, base in written[1:]:
        assert issubclass(getattr(lx.errors, name), getattr(lx.errors, base))


def test_files_of_numpy_are_read(tmp_path: Path, node: Node) -> None:
    dtypes = ("float32", "float64", "int64", "int32", "uint8", "int8", "bool")
    arrays = {name: np.arange(6).reshape(2, 3).astype(name) for name in dtypes}
    arrays |= {
        "turned": np.asfortranarray(np.ones((2, 3, 4), np.float32)),
        "one": np.array(3.5),
        "none": np.zeros((0, 2)),
    }
    for save, name in ((np.savez, "stored.npz"), (np.savez_compressed, "deflated.npz")):
        save(tmp_path / name, **arrays)
        found = json.loads(node(HERE / "npz.mjs", tmp_path / name))
        assert list(found) == list(arrays)
        for key, array in arrays.items():
            assert (found[key]["type"], found[key]["dims"]) == (array.dtype.name, list(array.shape))
            assert found[key]["values"] == array.astype(np.float64).ravel().tolist()
