"""A module with recurrent layers as a bundle: its graph, golden values, a card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from lstm_export.bundle.golden import golden_bytes
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest, Provenance
from lstm_export.bundle.write import write_bundle
from lstm_export.exporting.bundles.check import settle_golden
from lstm_export.exporting.bundles.module_card import module_card
from lstm_export.exporting.bundles.versions import versions
from lstm_export.exporting.export import verified
from lstm_export.exporting.exported import exported, ready
from lstm_export.exporting.graph.serialise import serialise
from lstm_export.exporting.options import GraphOptions
from lstm_export.exporting.verify.golden import golden_candidates


def export_module_bundle(
    module: nn.Module,
    path: Path,
    args: Any,
    kwargs: Mapping[str, Any] | None,
    options: GraphOptions,
    *,
    force: bool,
) -> Manifest:
    """`module`, called as `module(*args, **kwargs)`, as a bundle at `path`; returns its manifest.

    Raises what `export_onnx` raises.
    """
    with ready(module) as state:
        result = exported(state, args, kwargs, options)
        content = serialise(result.model)
        verified(module, result, content)
        candidates = golden_candidates(
            module, result.call, result.contract.graph, lengths=result.lengths
        )
        golden, parity = settle_golden({LAYOUT.model: content}, candidates)
    manifest = Manifest(
        task="module",
        graphs={LAYOUT.model: result.contract.graph},
        opset_version=options.opset_version,
        ir_version=options.ir_version,
        files={},
        provenance=Provenance(source_kind="module", versions=versions(), notes=result.notes),
        variants={"float32": LAYOUT.model},
        parity=parity,
    )
    card = module_card(type(module).__name__, result.contract.graph, result.notes, parity)
    contents = {
        LAYOUT.model: content,
        LAYOUT.golden: golden_bytes(golden),
        LAYOUT.card: card.encode(),
    }
    return write_bundle(path, manifest, contents, force=force)
