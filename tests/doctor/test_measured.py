"""What doctor says against what was measured: every bundle and every trap, in every runtime.

Nothing is run in a runtime here. `make docs-matrix` measures.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from lstm_export.bundle.onnx_file import read_onnx
from lstm_export.doctor.limits import documented
from lstm_export.doctor.limits.known import READ, TRIED
from lstm_export.doctor.limits.measured import FILE, OUTSIDE, Row, measured, shows
from lstm_export.doctor.runtimes import LIMITS, diagnose_graph
from lstm_export.parity.runtimes.registry import RUNTIMES

ROOT = Path(__file__).resolve().parents[2]
MATRIX = ROOT / "docs" / "matrix"
FROM_WEIGHTS = ("oracle", "torch")
CONSEQUENCES = {
    # A verdict, and what doctor may call it; `inexact` is not blocking.
    "wrong": {"silently wrong", "inexact"},
    "refused": {"refuses"},
    "crashed": {"crashes"},
    "hung": {"crashes"},
}


@pytest.fixture(scope="module")
def matrix() -> Iterator[Path]:
    sys.path.insert(0, str(MATRIX))
    yield MATRIX
    sys.path.remove(str(MATRIX))
    for name in ("graphs", "traps", "page"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def traps(matrix: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The traps that are built by hand, as files by name."""
    module = importlib.import_module("traps")
    folder = tmp_path_factory.mktemp("traps")
    for trap in module.traps():
        onnx.save(trap.graph, folder / f"{trap.name}.onnx")
    return {path.stem: path for path in folder.glob("*.onnx")}


def rows_of(graph: str) -> list[Row]:
    return [
        row
        for row in measured().rows
        if row.graph == graph and row.runtime not in FROM_WEIGHTS and OUTSIDE not in row.features
    ]


def agrees(path: Path, row: Row) -> bool:
    """Doctor knows of what went wrong, and blocks nothing that is right."""
    findings = diagnose_graph(path, [row.runtime])
    said = {finding.consequence for finding in findings}
    if row.verdict == "within":
        return not any(finding.blocks for finding in findings)
    # Where the same construct is wrong in one graph and refused in another, the words say both.
    words = {"refused": "refused", "crashed": "the process ends"}.get(row.verdict)
    both = words and any(one.blocks and words in one.detail for one in findings)
    return bool(said & CONSEQUENCES[row.verdict] or both)


BUNDLES = sorted(
    f"{path.parent.parent.name}/{path.name}" for path in ROOT.glob("artifacts/*/bundle/*.onnx")
)


@pytest.mark.parametrize("graph", BUNDLES)
def test_a_bundles_graph_is_diagnosed_as_it_was_measured(graph: str) -> None:
    folder, _, name = graph.partition("/")
    rows = rows_of(graph)
    assert [row.runtime for row in rows] == [one for one in RUNTIMES if one not in FROM_WEIGHTS]
    path = ROOT / "artifacts" / folder / "bundle" / name
    assert [row for row in rows if not agrees(path, row)] == []


def test_every_trap_is_diagnosed_as_it_was_measured(traps: dict[str, Path]) -> None:
    assert len(traps) > 30
    for name, path in traps.items():
        rows = rows_of(name)
        assert len(rows) == len(RUNTIMES) - len(FROM_WEIGHTS)
        assert [row for row in rows if not agrees(path, row)] == []


def test_what_a_trap_shows_is_in_the_file(traps: dict[str, Path]) -> None:
    for row in measured().rows:
        if row.graph in traps and row.construct:
            (limit,) = [limit for limit in LIMITS if limit.construct == row.construct]
            assert limit.occurs(read_onnx(traps[row.graph])), row.graph


def test_the_exported_lengths_fare_as_those_by_hand() -> None:
    exported = [row for row in measured().rows if row.graph.startswith("sequence-lens-exported/")]
    by_hand = {row.runtime: row.verdict for row in rows_of("sequence-lens-no-state")}
    assert {row.runtime: row.verdict for row in exported} == by_hand
    assert {row.features["ragged lengths"] for row in exported} == {"wrong", "refused", "within"}


@pytest.mark.parametrize(
    ("graph", "path"),
    [("batch-of-0", None), ("short-future", "artifacts/weather/bundle/forecast.onnx")],
)
def test_what_no_contract_allows(graph: str, path: str | None, traps: dict[str, Path]) -> None:
    file = traps["portable"] if path is None else ROOT / path
    rows = [row for row in measured().rows if row.graph == graph]
    assert len(rows) == len(RUNTIMES) - len(FROM_WEIGHTS)
    for row in rows:
        findings = diagnose_graph(file, [row.runtime])
        named = {one.construct for one in findings if one.consequence == "unguarded"}
        assert (row.construct in named) is (row.verdict not in ("within", "refused")), row


def test_the_matrix_is_of_all_runtimes() -> None:
    found = measured()
    assert list(found.versions) == list(RUNTIMES)
    assert all(found.versions.values())
    runs = {run.parent.name for run in (ROOT / "artifacts").glob("*/run")}
    for name in FROM_WEIGHTS:
        asked = {row.graph.partition("/")[0] for row in found.rows if row.runtime == name}
        assert asked == runs
    for row in found.rows:
        assert row.verdict in row.features.values(), row
        assert bool(row.message) is (row.verdict != "within") or OUTSIDE in row.features, row
        assert "/tmp" not in row.message, row


def test_a_finding_says_how_it_is_known(traps: dict[str, Path]) -> None:
    wrong, inexact = diagnose_graph(traps["sequence-lens"], ["openvino"])
    assert (wrong.evidence, wrong.version) == ("measured", measured().versions["openvino"])
    assert inexact.evidence == "tried"
    *_, fading = diagnose_graph(traps["sequence-lens"], ["tract"])
    assert (fading.consequence, fading.evidence) == ("inexact", "measured")
    *_, inexact = diagnose_graph(traps["portable"], ["openvino-default"])
    assert inexact.evidence == ("measured" if measured().bfloat16 else "tried")
    (by_hand,) = [
        one for one in diagnose_graph(traps["sequence-lens"], ["mnn"]) if "lens" in one.construct
    ]
    assert (by_hand.evidence, by_hand.version) == ("tried", TRIED["mnn"])


def test_what_was_only_read_says_where(traps: dict[str, Path]) -> None:
    for limit in documented.LIMITS:
        for outcome in limit.outcomes:
            assert set(outcome.runtimes.split()) <= set(READ)
            assert outcome.source.startswith("https://")
    forecast = ROOT / "artifacts" / "sunspots" / "bundle" / "forecast.onnx"
    (finding,) = diagnose_graph(forecast, ["triton"])
    assert (finding.consequence, finding.places) == ("refuses", ("horizon",))
    assert finding.evidence == "read"
    assert finding.to_dict()["source"] == documented.TRITON
    stream = diagnose_graph(forecast.with_name("stream.onnx"), ["triton"])
    assert [one.consequence for one in stream] == ["slow"]
    (quantised, double) = (
        diagnose_graph(traps[name], ["tensorrt"]) for name in ("quantised", "float64")
    )
    assert [one.consequence for one in quantised] == ["refuses"]
    assert [one.consequence for one in double] == ["inexact"]
    assert [one.consequence for one in diagnose_graph(forecast, ["matlab"])] == ["converts"]


def test_a_trap_shows_one_construct_in_one_runtime() -> None:
    assert shows("openvino", "sequence_lens", "silently wrong")
    assert not shows("openvino", "sequence_lens", "crashes")
    assert not shows("onnxruntime", "sequence_lens", "silently wrong")


def test_the_page_has_the_tables_of_the_file(matrix: Path, tmp_path: Path) -> None:
    page: ModuleType = importlib.import_module("page")
    shown = (ROOT / "docs" / "runtimes.md").read_text(encoding="utf-8")
    copy = tmp_path / "runtimes.md"
    copy.write_text(shown, encoding="utf-8")
    page.write_page(json.loads(FILE.read_text(encoding="utf-8")), copy)
    assert copy.read_text(encoding="utf-8") == shown
    for runtime, version in measured().versions.items():
        assert f"| {runtime} | {version} |" in shown
