"""A run as a bundle: trace, check against the golden values, write everything or nothing."""

from __future__ import annotations

from pathlib import Path

from lstm_export.bundle.golden import golden_bytes
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest, Provenance
from lstm_export.bundle.write import write_bundle
from lstm_export.checkpoint import read_checkpoint
from lstm_export.exporting.bundles.check import settle_golden
from lstm_export.exporting.bundles.forecast_graphs import export_forecast, forecast_graphs
from lstm_export.exporting.bundles.golden import golden_candidates
from lstm_export.exporting.bundles.run_card import run_card
from lstm_export.exporting.bundles.versions import versions
from lstm_export.exporting.options import IR_VERSION, OPSET_VERSION
from lstm_export.exporting.target import Target
from lstm_export.nn.build import build


def export_run(run: Path, path: Path, *, force: bool, target: Target) -> Manifest:
    """The training run at `run` as a bundle at `path`; returns its manifest.

    The graphs depend on the run's checkpoint alone: the same checkpoint gives the same bytes.
    Raises CheckpointError if the run cannot be read, ExportError if the graphs do not keep the
    parity rule.
    """
    checkpoint = read_checkpoint(run)
    description = checkpoint.description
    model = build(checkpoint)
    specs = forecast_graphs(description.forecaster)
    graphs = {name: export_forecast(model, name, target) for name in specs}
    candidates = golden_candidates(model, checkpoint.weights, specs)
    golden, parity = settle_golden(graphs, candidates)
    manifest = Manifest(
        task="forecast",
        graphs=specs,
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
        forecast=description.forecaster,
        variants={"float32": LAYOUT.model},
        parity=parity,
        intervals=description.intervals,
    )
    card = run_card(description.forecaster, description.data.name, parity, description.intervals)
    contents = {**graphs, LAYOUT.golden: golden_bytes(golden), LAYOUT.card: card.encode()}
    return write_bundle(path, manifest, contents, force=force)
