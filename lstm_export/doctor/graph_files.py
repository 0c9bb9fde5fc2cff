"""A bundle's graphs, or one ONNX file, against what runtimes are known to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.onnx_file import OnnxFile, parse_onnx, read_onnx
from lstm_export.bundle.read import open_bundle
from lstm_export.contract import GraphSpec
from lstm_export.doctor.finding import Finding
from lstm_export.doctor.runtimes import Runtime, diagnose_graph
from lstm_export.errors import BundleError, ChecksumError


@dataclass(frozen=True, slots=True)
class GraphDiagnosis:
    """One ONNX file and what is known against it."""

    name: str
    spec: GraphSpec
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class FileDiagnosis:
    """A bundle or an ONNX file. `runtimes` are those that were asked about."""

    path: str
    runtimes: tuple[str, ...]
    graphs: tuple[GraphDiagnosis, ...]

    @property
    def blocked(self) -> bool:
        """Whether a runtime that was asked about cannot be given one of the graphs."""
        return any(finding.blocks for graph in self.graphs for finding in graph.findings)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kind": "graphs",
            "path": self.path,
            "runtimes": list(self.runtimes),
            "blocked": self.blocked,
            "graphs": [
                {
                    "name": graph.name,
                    "inputs": [asdict(spec) for spec in graph.spec.inputs],
                    "outputs": [asdict(spec) for spec in graph.spec.outputs],
                    "findings": [finding.to_dict() for finding in graph.findings],
                }
                for graph in self.graphs
            ],
        }


def diagnose_file(path: str | Path, runtimes: Sequence[Runtime]) -> FileDiagnosis:
    """Every graph at `path`. Nothing is run.

    Raises BundleError for what is neither a bundle nor an ONNX file, ChecksumError for a bundle
    that was changed.
    """
    location = Path(path)
    names = tuple(map(str, runtimes))
    if not location.is_dir():
        if not location.exists():
            raise BundleError(f"there is nothing at {location}")
        model = read_onnx(location)
        return FileDiagnosis(str(path), names, (_graph(location.name, model, runtimes),))
    if not (location / LAYOUT.manifest).is_file():
        raise BundleError(
            f"{location} is no bundle: it has no {LAYOUT.manifest}. Expected a bundle, an ONNX "
            "file, or file.py:name"
        )
    bundle = open_bundle(location)
    if damages := bundle.damages():
        raise ChecksumError("; ".join(damages))
    models = {
        name: parse_onnx(bundle.read(name), str(location / name)) for name in bundle.manifest.graphs
    }
    graphs = tuple(_graph(name, model, runtimes) for name, model in models.items())
    return FileDiagnosis(str(path), names, graphs)


def _graph(name: str, model: OnnxFile, runtimes: Sequence[Runtime]) -> GraphDiagnosis:
    return GraphDiagnosis(name, model.spec, tuple(diagnose_graph(model, runtimes)))
