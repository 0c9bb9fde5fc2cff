"""What a bundle, an ONNX file or a training run is, found by its content; no torch, nothing run."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import ParitySummary, Provenance
from lstm_export.bundle.onnx_file import OnnxFile, parse_onnx, read_onnx
from lstm_export.bundle.read import open_bundle
from lstm_export.checkpoint import DESCRIPTION, WEIGHTS, checked_weights, is_run, read_description
from lstm_export.contract import (
    METADATA_KEY,
    Contract,
    Forecast,
    GraphSpec,
    Intervals,
    Sequences,
)
from lstm_export.errors import BundleError, ChecksumError

_GATES = {"lstm": 4, "gru": 3, "rnn": 1}
_RECURRENT = ("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM", "QLinearLSTM")
_FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """One ONNX file: its contract's side, its versions, and what it is made of."""

    spec: GraphSpec
    opset_version: int
    ir_version: int
    producer: str
    operators: dict[str, int]
    """How many nodes of each type, at every depth."""
    cells: tuple[dict[str, Any], ...]
    """The recurrent nodes, in order: op_type, direction, hidden_size."""
    weights: int
    """Floating-point numbers in its initializers."""
    external_files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What `inspect` finds. `task` is as contracts have it, or "unknown" for a foreign file."""

    kind: Literal["bundle", "onnx file", "training run"]
    path: str
    task: str
    parameters: int
    """Trained numbers; of a foreign file, the floating-point numbers that it stores."""
    sizes: dict[str, int]
    """Bytes, by file."""
    forecast: Forecast | None = None
    graphs: dict[str, GraphFacts] = field(default_factory=dict)
    provenance: Provenance | None = None
    verified: ParitySummary | None = None
    """The verdict at export; None where there was none."""
    intervals: Intervals | None = None
    sequences: Sequences | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, under the names of the fields."""
        return asdict(self)


def inspect_path(path: str | Path) -> Inspection:
    """What is at `path`: a bundle or run folder, or an ONNX file.

    A bundle's or a run's checksums are compared. Raises BundleError, ChecksumError,
    NewerFormatError, CheckpointError or ContractError.
    """
    location = Path(path)
    if location.is_dir():
        if (location / LAYOUT.manifest).is_file():
            return _bundle(location)
        if is_run(location):
            return _run(location)
        raise BundleError(
            f"{location} is neither a bundle (it has no {LAYOUT.manifest}) nor a finished "
            f"training run (it has no {DESCRIPTION})"
        )
    if not location.exists():
        raise BundleError(f"there is nothing at {location}")
    if is_part(location):
        raise BundleError(f"{location} is part of a folder: inspect {location.parent} instead")
    return _onnx(location)


def is_part(path: Path) -> bool:
    """Whether the file at `path` is one of a bundle or a run folder, and says little alone."""
    own = path.name in (LAYOUT.manifest, DESCRIPTION)
    return own or (path.name == WEIGHTS and is_run(path.parent))


def parameter_count(terms: Forecast | Sequences) -> int:
    """Trained numbers: recurrent layers as torch.nn has them, the head, the symbols' vectors."""
    spec = terms.recurrent
    gates, hidden, state = _GATES[spec.cell] * spec.hidden_size, spec.hidden_size, spec.state_size
    count = 0
    for layer in range(spec.num_layers):
        width = spec.input_size if layer == 0 else state * spec.num_directions
        projection = spec.proj_size * hidden
        count += spec.num_directions * (gates * (width + state + 2) + projection)
    if isinstance(terms, Forecast):
        outputs = terms.window.horizon * len(terms.targets)
    else:
        outputs = terms.width
        count += terms.embedding_size * (terms.vocabulary.size if terms.vocabulary else 0)
    return count + outputs * (state * spec.num_directions + 1)


def _bundle(path: Path) -> Inspection:
    bundle = open_bundle(path)
    if damages := bundle.damages():
        raise ChecksumError("; ".join(damages))
    manifest = bundle.manifest
    graphs = {
        name: _facts(parse_onnx(bundle.read(name), str(path / name))) for name in manifest.graphs
    }
    terms = manifest.forecast or manifest.sequences
    model = graphs.get(LAYOUT.model)
    stored = model.weights if model else 0
    return Inspection(
        "bundle",
        str(path),
        manifest.task,
        parameter_count(terms) if terms else stored,
        {LAYOUT.manifest: (path / LAYOUT.manifest).stat().st_size}
        | {name: entry.bytes for name, entry in manifest.files.items()},
        manifest.forecast,
        graphs,
        manifest.provenance,
        manifest.parity,
        manifest.intervals,
        manifest.sequences,
    )


def _onnx(path: Path) -> Inspection:
    model = read_onnx(path)
    text = model.metadata_props.get(METADATA_KEY)
    contract = Contract.from_json(text, str(path)) if text is not None else None
    terms = contract.forecast or contract.sequences if contract else None
    facts = _facts(model)
    beside = [path.resolve().parent / name for name in model.external_files]
    return Inspection(
        "onnx file",
        str(path),
        contract.task if contract else "unknown",
        parameter_count(terms) if terms else facts.weights,
        {file.name: file.stat().st_size for file in (path, *beside) if file.is_file()},
        contract.forecast if contract else None,
        {path.name: facts},
        sequences=contract.sequences if contract else None,
    )


def _run(path: Path) -> Inspection:
    description = read_description(path)
    checked_weights(path, description)
    return Inspection(
        "training run",
        str(path),
        description.task,
        parameter_count(description.terms),
        {file.name: file.stat().st_size for file in sorted(path.iterdir()) if file.is_file()},
        description.forecast,
        provenance=Provenance(
            "run",
            description.data,
            description.seed,
            description.metrics,
            description.versions,
        ),
        intervals=description.intervals,
        sequences=description.sequences,
    )


def _facts(model: OnnxFile) -> GraphFacts:
    nodes = [node for graph in (model.graph, *model.graph.subgraphs()) for node in graph.nodes]
    cells = tuple(
        {
            "op_type": node.op_type,
            "direction": node.attributes.get("direction", "forward"),
            "hidden_size": node.attributes.get("hidden_size"),
        }
        for node in nodes
        if node.op_type in _RECURRENT
    )
    weights = sum(t.size for t in model.graph.initializers.values() if t.dtype in _FLOATS)
    return GraphFacts(
        model.spec,
        model.opset_version,
        model.ir_version,
        f"{model.producer_name} {model.producer_version}".strip(),
        dict(sorted(Counter(node.op_type for node in nodes).items())),
        cells,
        weights,
        model.external_files,
    )
