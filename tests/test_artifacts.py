"""The golden bundles: yesterday's files, which today's code must read and rebuild."""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

import lstm_export as lx
from lstm_export.bundle.golden import read_golden
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest
from lstm_export.bundle.read import open_bundle
from lstm_export.checkpoint import read_checkpoint, read_description, write_checkpoint
from lstm_export.compare.tensors import compare_outputs
from lstm_export.errors import CheckpointError, ContractError
from lstm_export.parity.trial import Trial, asked
from lstm_export.parity.verify import verify

ARTIFACTS = Path(__file__).resolve().parent.parent / "artifacts"
BUNDLES = sorted(path.parent for path in ARTIFACTS.glob("*/bundle"))
SMALL = 90_000
"""Bytes of a bundle: they travel with every copy of the sources."""

each = pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: folder.name)


@pytest.fixture(scope="module")
def rebuild() -> ModuleType:
    """`artifacts/rebuild.py`."""
    spec = importlib.util.spec_from_file_location("rebuild", ARTIFACTS / "rebuild.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_bundle_has_its_source_beside_it(rebuild: ModuleType) -> None:
    assert rebuild.sources() == BUNDLES
    assert BUNDLES


@each
def test_graphs_are_rebuilt_byte_for_byte(
    folder: Path, rebuild: ModuleType, tmp_path: Path
) -> None:
    manifest = rebuild.export(folder, tmp_path / "bundle")
    assert manifest.graphs == open_bundle(folder / "bundle").manifest.graphs
    assert rebuild.differing(tmp_path / "bundle", folder / "bundle") == []


@each
def test_a_committed_bundle_verifies(folder: Path) -> None:
    run = folder / "run"
    report = verify(folder / "bundle", against=run if run.is_dir() else None)
    assert report.passed, report.failures


@each
def test_a_committed_bundle_loads_and_has_its_card(folder: Path) -> None:
    bundle = open_bundle(folder / "bundle")
    assert bundle.read(LAYOUT.card).decode().startswith("# ")
    assert sum(entry.bytes for entry in bundle.manifest.files.values()) < SMALL
    cases = read_golden(bundle.read(LAYOUT.golden), "golden")
    case = next(case for case in cases if case.graph == LAYOUT.model)
    model = lx.load(folder / "bundle")
    if bundle.manifest.task == "forecast":
        answer = {"output": model(case.inputs["x"])}
    else:
        answer = model(**case.inputs)
    if not isinstance(answer, dict):
        answer = dict(zip(case.oracle, [answer], strict=True))
    assert all(one.passed for one in compare_outputs(answer, case.oracle, case.torch))


@each
def test_golden_values_cover_what_the_graphs_take(folder: Path) -> None:
    bundle = open_bundle(folder / "bundle")
    cases = read_golden(bundle.read(LAYOUT.golden), "golden")
    for graph, spec in bundle.manifest.graphs.items():
        of_graph = [case for case in cases if case.graph == graph]
        own = [case.inputs for case in of_graph]
        x = spec.inputs[0]
        batches = {inputs[x.name].shape[0] for inputs in own}
        assert 1 in batches
        assert max(batches) >= 3
        assert len({inputs[x.name].shape[1] for inputs in own}) >= 3
        trials = [Trial("golden", graph, c.name, c.inputs, c.oracle, c.torch) for c in of_graph]
        shown = {feature for trial in trials for feature in asked(trial, spec)}
        names = {tensor.name for tensor in spec.inputs}
        assert ("integer inputs" if x.dtype == "int64" else "extreme scales") in shown
        assert ("ragged lengths" in shown) is ("lengths" in names)
        if states := [name for name in names if name.startswith("initial_h")]:
            assert "states" in shown
            random = {bool(inputs[state].any()) for state in states for inputs in own}
            assert random == {True, False}


def test_a_task_that_its_own_terms_deny_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(ARTIFACTS / "tags" / "run", run)
    description = read_description(run)
    weights = read_checkpoint(run).weights
    write_checkpoint(run, dataclasses.replace(description, task="classify"), weights)
    with pytest.raises(CheckpointError, match="task is classify, but its terms are those to tag"):
        read_description(run)
    manifest = open_bundle(ARTIFACTS / "tags" / "bundle").manifest
    content = dataclasses.replace(manifest, task="regress").to_bytes()
    with pytest.raises(ContractError, match="task is regress, but its terms are those to tag"):
        Manifest.from_bytes(content, "manifest.json")
