"""Small real runs and their bundles, and a way to damage a bundle so that its checksums hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lstm_export.bundle.manifest import Manifest
from lstm_export.contract import Column, DataOrigin, Forecast, Recurrent, Scaling, Window

if TYPE_CHECKING:
    import onnx

KINDS = {
    "lstm": (Recurrent("lstm", 1, 4), Window(context_length=6, horizon=2, difference=1)),
    "gru": (Recurrent("gru", 1, 4, num_layers=2), Window(context_length=6, horizon=1)),
    "rnn": (Recurrent("rnn", 1, 4), Window(context_length=6, horizon=3, difference=2)),
    "projected": (Recurrent("lstm", 1, 5, proj_size=3), Window(context_length=6, horizon=1)),
    "bidirectional": (
        Recurrent("lstm", 1, 4, bidirectional=True),
        Window(context_length=6, horizon=1, difference=1),
    ),
}


@dataclass(frozen=True)
class Made:
    """A run folder and the bundle exported from it."""

    run: Path
    bundle: Path


def write_run(path: Path, kind: str, seed: int = 0) -> Path:
    import torch

    from lstm_export.checkpoint import Description, write_checkpoint
    from lstm_export.nn.forecaster import Forecaster

    recurrent, window = KINDS[kind]
    column = (Column("sunspots", "sunspot number", 0.0, 190.25),)
    scaling = Scaling("standard", (0.5,), (16.25,))
    terms = Forecast(column, column, window, scaling, scaling, recurrent)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        weights = {k: v.numpy() for k, v in Forecaster(terms).state_dict().items()}
    path.mkdir(parents=True)
    origin = DataOrigin("sunspots", "0" * 64, 309)
    write_checkpoint(path, Description(terms, origin, 0, {}, {}), weights)
    return path


@pytest.fixture(scope="session")
def made(made_once: Callable[..., Path]) -> Callable[[str], Made]:
    """A function from one of KINDS to its run and bundle, made once."""

    def fill(folder: Path, kind: str) -> None:
        from lstm_export.bundling import export_bundle

        export_bundle(write_run(folder / "run", kind), folder / "bundle")

    def make(kind: str) -> Made:
        folder = made_once(f"parity {kind}", lambda folder: fill(folder, kind))
        return Made(folder / "run", folder / "bundle")

    return make


@pytest.fixture
def other_run(tmp_path: Path) -> Callable[[str], Path]:
    """A run of the same terms, data and seed as `made`'s, with other weights."""
    return lambda kind: write_run(tmp_path / "other-run", kind, seed=1)


@pytest.fixture
def rewrite(tmp_path: Path) -> Callable[..., Path]:
    """A function that copies a bundle with changes, every checksum made to match again.

    `graphs` maps a graph's name to a function that changes its ModelProto in place; `manifest`
    gives the manifest to write for the old one; `contents` replaces whole files, None drops one.
    """

    def copy(
        bundle: Path,
        graphs: Mapping[str, Callable[[onnx.ModelProto], None]] | None = None,
        manifest: Callable[[Manifest], Manifest] | None = None,
        contents: Mapping[str, bytes | None] | None = None,
    ) -> Path:
        import onnx

        from lstm_export.bundle.read import open_bundle
        from lstm_export.bundle.write import write_bundle

        opened = open_bundle(bundle)
        files: dict[str, bytes | None] = {n: opened.read(n) for n in opened.manifest.files}
        for name, change in (graphs or {}).items():
            model = onnx.load_from_string(opened.read(name))
            change(model)
            files[name] = model.SerializeToString(deterministic=True)
        files |= contents or {}
        kept = {name: body for name, body in files.items() if body is not None}
        written = replace(manifest(opened.manifest) if manifest else opened.manifest, files={})
        write_bundle(tmp_path / "changed", written, kept)
        return tmp_path / "changed"

    return copy
