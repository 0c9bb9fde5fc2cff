"""The golden bundles: yesterday's files, which today's code must read and rebuild."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstm_export.bundle.read import open_bundle
from lstm_export.bundling import export_bundle
from lstm_export.parity.verify import verify

ARTIFACTS = Path(__file__).resolve().parent.parent / "artifacts"
RUNS = sorted(ARTIFACTS.glob("*/run"))


def test_there_are_some() -> None:
    assert RUNS


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.parent.name)
def test_graphs_are_rebuilt_byte_for_byte(run: Path, tmp_path: Path) -> None:
    bundle = run.with_name("bundle")
    manifest = export_bundle(run, tmp_path / "bundle")
    assert manifest.graphs == open_bundle(bundle).manifest.graphs
    for name in manifest.graphs:
        assert (tmp_path / "bundle" / name).read_bytes() == (bundle / name).read_bytes(), name


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.parent.name)
def test_a_committed_bundle_verifies_against_its_run(run: Path) -> None:
    report = verify(run.with_name("bundle"), against=run)
    assert report.passed, report.failures
