"""Bundles from runs: complete, checked, or not there."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstm_export.bundle.golden import GoldenCase, read_golden
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.read import open_bundle
from lstm_export.bundling import export_bundle
from lstm_export.checkpoint import Description, write_checkpoint
from lstm_export.contract import Column, DataOrigin, Forecast, Recurrent, Scaling, Window
from lstm_export.errors import CheckpointError, ExportError, OutputError
from lstm_export.exporting.bundles import run_bundle as exporting
from lstm_export.exporting.bundles.check import settle_golden
from lstm_export.nn.forecaster import Forecaster

NAME = "temperature | `°C`\n<b>"


def write_run(path: Path, *, bidirectional: bool = False) -> Path:
    column = (Column(NAME, "degC", -5.0, 35.0),)
    scaling = Scaling("standard", (0.0,), (2.5,))
    recurrent = Recurrent("gru", 1, 4, bidirectional=bidirectional)
    terms = Forecast(column, column, Window(6, 2), scaling, scaling, recurrent)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = {k: v.numpy() for k, v in Forecaster(terms).state_dict().items()}
    path.mkdir()
    origin = DataOrigin("weather.csv", "0" * 64, 1000)
    write_checkpoint(path, Description(terms, origin, 3, {"test": {}}, {}), weights)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="module")
def bundle(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "bundle"
    export_bundle(run, path)
    return path


def test_a_bundle_is_complete_and_its_manifest_covers_it(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert {path.name for path in bundle.iterdir()} == {
        "manifest.json",
        "model.onnx",
        "stream.onnx",
        "golden.npz",
        "README.md",
    }
    assert opened.damages() == ()
    for name, entry in opened.manifest.files.items():
        body = (bundle / name).read_bytes()
        assert entry.sha256 == hashlib.sha256(body).hexdigest()
    assert opened.manifest.parity is not None
    assert opened.manifest.parity.passed
    assert opened.manifest.provenance.seed == 3


def test_golden_values_vary_batch_and_length_of_every_graph(bundle: Path) -> None:
    cases = read_golden((bundle / LAYOUT.golden).read_bytes(), "golden.npz")
    for graph in (LAYOUT.model, LAYOUT.stream):
        shapes = {case.inputs["x"].shape[:2] for case in cases if case.graph == graph}
        assert len({batch for batch, _ in shapes}) > 1
        assert len({length for _, length in shapes}) > 1
    assert all(value.dtype == np.float64 for case in cases for value in case.oracle.values())


def test_the_card_survives_hostile_names(bundle: Path) -> None:
    card = (bundle / LAYOUT.card).read_text(encoding="utf-8")
    rows = [line for line in card.splitlines() if line.startswith("| ") and "temperature" in line]
    assert rows
    assert all(row.replace("\\|", "").count("|") == 3 for row in rows)
    assert card.count("```") % 2 == 0


def test_two_directions_give_no_stream(tmp_path: Path) -> None:
    export_bundle(write_run(tmp_path / "run", bidirectional=True), tmp_path / "bundle")
    assert not (tmp_path / "bundle" / LAYOUT.stream).exists()
    assert set(open_bundle(tmp_path / "bundle").manifest.graphs) == {LAYOUT.model, LAYOUT.ragged}
    assert "`ragged.onnx`" in (tmp_path / "bundle" / LAYOUT.card).read_text(encoding="utf-8")


def test_an_existing_bundle_is_kept_unless_forced(run: Path, bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "bundle")
    before = (tmp_path / "bundle" / LAYOUT.manifest).read_bytes()
    with pytest.raises(OutputError, match="--force"):
        export_bundle(run, tmp_path / "bundle")
    export_bundle(run, tmp_path / "bundle", force=True)
    assert (tmp_path / "bundle" / LAYOUT.manifest).read_bytes() == before


def test_graphs_with_other_numbers_are_never_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = exporting.export_forecast

    def wrong(model: Forecaster, *rest: object) -> bytes:
        with torch.no_grad():
            model.recurrent.weight_hh_l0[0, 0] += 0.01  # type: ignore[index, operator]
            content = right(model, *rest)  # type: ignore[arg-type]
            model.recurrent.weight_hh_l0[0, 0] -= 0.01  # type: ignore[index, operator]
        return content

    monkeypatch.setattr(exporting, "export_forecast", wrong)
    with pytest.raises(ExportError, match="do not give torch's numbers"):
        export_bundle(run, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_changed_weights_are_refused(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    copy.mkdir()
    for file in run.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    body = bytearray((copy / "model.safetensors").read_bytes())
    body[-3] ^= 1
    (copy / "model.safetensors").write_bytes(body)
    with pytest.raises(CheckpointError, match="does not match"):
        export_bundle(copy, tmp_path / "bundle")


def test_of_a_cases_inputs_those_are_taken_where_runtimes_can_agree(
    bundle: Path,
) -> None:
    graphs = {LAYOUT.model: (bundle / LAYOUT.model).read_bytes()}
    cases = read_golden((bundle / LAYOUT.golden).read_bytes(), "golden.npz")
    good = cases[0]
    # What the graph answers is right; a reference that is off stands for ill-conditioned inputs.
    off = replace(good, name="off", oracle={"output": good.oracle["output"] * (1 + 1e-4)})
    off = replace(off, torch={k: v.astype(np.float32) for k, v in off.oracle.items()})
    asked: list[str] = []

    def slot(*offered: GoldenCase) -> Iterator[GoldenCase]:
        for case in offered:
            asked.append(case.name)
            yield case

    chosen, parity = settle_golden(graphs, [slot(off, good, off)])
    assert chosen == [good]
    assert asked == ["off", good.name]
    assert parity.passed
    with pytest.raises(ExportError, match="off"):
        settle_golden(graphs, [slot(off, off)])


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes writing a file of the given name fail as on a full disk."""

    class Full(io.FileIO):
        def write(self, body: Any) -> int:
            super().write(memoryview(body)[: len(body) // 2])
            raise OSError(28, "No space left on device")

    def fill(name: str) -> None:
        usual = Path.open

        def opened(self: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
            full = self.name == name and "w" in mode
            return Full(self, mode) if full else usual(self, mode, *args, **options)

        monkeypatch.setattr(Path, "open", opened)

    return fill


@pytest.mark.parametrize("name", [LAYOUT.stream, LAYOUT.manifest])
def test_a_full_disk_leaves_the_old_bundle_and_nothing_else(
    run: Path, bundle: Path, tmp_path: Path, full_disk: Callable[[str], None], name: str
) -> None:
    shutil.copytree(bundle, tmp_path / "bundle")
    before = {file.name: file.read_bytes() for file in (tmp_path / "bundle").iterdir()}
    full_disk(name)
    with pytest.raises(OutputError, match="No space left"):
        export_bundle(run, tmp_path / "bundle", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert {file.name: file.read_bytes() for file in (tmp_path / "bundle").iterdir()} == before
