"""A run as a bundle: trace, check against the golden values, write everything or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lstm_export.bundle.golden import GoldenCase, golden_bytes
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest, ParitySummary, Provenance
from lstm_export.bundle.write import write_bundle
from lstm_export.checkpoint import Checkpoint, read_checkpoint
from lstm_export.contract import GraphSpec
from lstm_export.exporting.bundles.check import settle_golden
from lstm_export.exporting.bundles.forecast_graphs import export_forecast, forecast_graphs
from lstm_export.exporting.bundles.golden import golden_candidates
from lstm_export.exporting.bundles.run_card import run_card
from lstm_export.exporting.bundles.sequence_card import sequence_card
from lstm_export.exporting.bundles.sequence_golden import sequence_candidates
from lstm_export.exporting.bundles.sequence_graphs import export_sequences, sequence_graphs
from lstm_export.exporting.bundles.versions import versions
from lstm_export.exporting.options import IR_VERSION, OPSET_VERSION
from lstm_export.exporting.target import Target
from lstm_export.nn.build import build, build_sequence_model


@dataclass(frozen=True, slots=True)
class _Parts:
    """What depends on the task: graphs by file name, candidates for golden cases, the card."""

    specs: Mapping[str, GraphSpec]
    graphs: Mapping[str, bytes]
    candidates: Iterable[Iterable[GoldenCase]]
    card: Callable[[ParitySummary], str]


def export_run(run: Path, path: Path, *, force: bool, target: Target) -> Manifest:
    """The training run at `run` as a bundle at `path`; returns its manifest.

    The graphs depend on the run's checkpoint alone: the same checkpoint gives the same bytes.
    Raises CheckpointError if the run cannot be read, ExportError if the graphs do not keep the
    parity rule.
    """
    checkpoint = read_checkpoint(run)
    description = checkpoint.description
    parts = (_of_forecaster if description.task == "forecast" else _of_sequences)(
        checkpoint, target
    )
    golden, parity = settle_golden(parts.graphs, parts.candidates)
    manifest = Manifest(
        task=description.task,
        graphs=dict(parts.specs),
        opset_version=OPSET_VERSION,
        ir_version=IR_VERSION,
        files={},
        provenance=Provenance(
            source_kind="run",
            data=description.data,
            seed=description.seed,
            metrics=description.metrics,
            versions={**description.versions, **versions()},
        ),
        forecast=description.forecast,
        variants={"float32": LAYOUT.model},
        parity=parity,
        intervals=description.intervals,
        sequences=description.sequences,
    )
    card = parts.card(parity).encode()
    contents = {**parts.graphs, LAYOUT.golden: golden_bytes(golden), LAYOUT.card: card}
    return write_bundle(path, manifest, contents, force=force)


def _of_forecaster(checkpoint: Checkpoint, target: Target) -> _Parts:
    terms, description = checkpoint.description.forecaster, checkpoint.description
    model = build(checkpoint)
    specs = forecast_graphs(terms)
    return _Parts(
        specs,
        {name: export_forecast(model, name, target) for name in specs},
        golden_candidates(model, checkpoint.weights, specs),
        lambda parity: run_card(terms, description.data.name, parity, description.intervals),
    )


def _of_sequences(checkpoint: Checkpoint, target: Target) -> _Parts:
    terms, description = checkpoint.description.sequence_terms, checkpoint.description
    model = build_sequence_model(checkpoint)
    specs = sequence_graphs(terms)
    return _Parts(
        specs,
        {name: export_sequences(model, name, target) for name in specs},
        sequence_candidates(model, checkpoint.weights, specs),
        lambda parity: sequence_card(terms, description.data.name, parity),
    )
