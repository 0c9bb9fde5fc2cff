"""What is measured: a bundle of a run, a bundle of a module, or a bare ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lstm_export.bundle.golden import GoldenCase, read_golden
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.onnx_file import OnnxFile, read_onnx
from lstm_export.bundle.read import open_bundle
from lstm_export.contract import METADATA_KEY, Contract, Forecast, GraphSpec, Sequences
from lstm_export.errors import BundleError


@dataclass(frozen=True, slots=True)
class Subject:
    """Graphs by file name, with their paths; `terms` are those of a forecaster, `sequences` those
    of a model of sequences."""

    path: Path
    kind: str
    """bundle of a run, bundle of a module, or ONNX file"""
    files: Mapping[str, Path]
    graphs: Mapping[str, OnnxFile]
    terms: Forecast | None
    golden: tuple[GoldenCase, ...]
    sequences: Sequences | None = None

    @property
    def model(self) -> OnnxFile:
        """The graph of whole sequences."""
        return self.graphs[LAYOUT.model]

    def spec(self, name: str) -> GraphSpec:
        """Inputs and outputs of one graph."""
        return self.graphs[name].spec

    def content(self, name: str) -> bytes | str:
        """A graph as a session takes it: its bytes; its path where weights lie in other files."""
        path = self.files[name]
        return str(path) if self.graphs[name].external_files else path.read_bytes()


def open_subject(path: Path) -> Subject:
    """The model at `path`. Raises BundleError or ContractError if it cannot be read."""
    if not path.exists():
        raise BundleError(f"there is no bundle or ONNX file at {path}")
    if path.is_dir():
        bundle = open_bundle(path)
        manifest = bundle.manifest
        files = {name: path / name for name in manifest.graphs}
        for name in files:
            bundle.check(name)
        golden: tuple[GoldenCase, ...] = ()
        if LAYOUT.golden in manifest.files:
            golden = read_golden(bundle.read(LAYOUT.golden), bundle.where(LAYOUT.golden))
        kind = f"bundle of a {'module' if manifest.task == 'module' else 'run'}"
        graphs = {name: read_onnx(file) for name, file in files.items()}
        terms = manifest.forecast, golden, manifest.sequences
        return Subject(path, kind, files, graphs, *terms)
    model = read_onnx(path)
    text = model.metadata_props.get(METADATA_KEY)
    contract = Contract.from_json(text, str(path)) if text is not None else None
    # A stream graph on its own is fed like any graph: its state is one of its inputs.
    whole = contract is not None and len(contract.graph.inputs) == 1
    forecast, sequences = (
        (contract.forecast, contract.sequences) if contract is not None and whole else (None, None)
    )
    only = {LAYOUT.model: path}, {LAYOUT.model: model}
    return Subject(path, "ONNX file", *only, forecast, (), sequences)
