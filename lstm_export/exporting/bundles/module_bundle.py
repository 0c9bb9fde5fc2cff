"""A module with recurrent layers as a bundle: its graph, golden values, a card."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from lstm_export.bundle.golden import golden_bytes
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest, Provenance
from lstm_export.bundle.write import write_bundle
from lstm_export.errors import ExportError
from lstm_export.exporting.bundles.check import settle_golden
from lstm_export.exporting.bundles.module_card import module_card
from lstm_export.exporting.bundles.module_origin import ModuleOrigin
from lstm_export.exporting.bundles.versions import versions
from lstm_export.exporting.export import verified
from lstm_export.exporting.exported import Exported, exported, ready
from lstm_export.exporting.graph.serialise import serialise
from lstm_export.exporting.options import GraphOptions
from lstm_export.exporting.streams.refusal import NoStreamError
from lstm_export.exporting.streams.stream import ModuleStream, module_stream
from lstm_export.exporting.verify.golden import golden_candidates
from lstm_export.exporting.verify.rows import rows_are_independent


def export_module_bundle(
    module: nn.Module,
    path: Path,
    args: Any,
    kwargs: Mapping[str, Any] | None,
    options: GraphOptions,
    *,
    stream: bool | None,
    force: bool,
    origin: ModuleOrigin | None = None,
) -> Manifest:
    """`module`, called as `module(*args, **kwargs)`, as a bundle at `path`; returns its manifest.

    `stream` as for `export_bundle`. Raises what `export_onnx` raises.
    """
    origin = ModuleOrigin(type(module).__name__) if origin is None else origin
    with ready(module) as state:
        result = exported(state, args, kwargs, options)
        content = serialise(result.model)
        verified(module, result, content, judge=origin.judge)
        candidates = golden_candidates(
            module,
            result.call,
            result.contract.graph,
            lengths=result.lengths,
            judge=origin.judge,
        )
        streamed, notes = _stream(module, result, options, stream)
        notes = (*origin.notes, *notes)
        independent = rows_are_independent(module, result.call, result.contract.graph)
        graphs = {LAYOUT.model: content}
        specs = {LAYOUT.model: result.contract.graph}
        if streamed is not None:
            graphs[LAYOUT.stream], specs[LAYOUT.stream] = streamed.content, streamed.contract.graph
            candidates = itertools.chain(candidates, (iter([case]) for case in streamed.golden))
        golden, parity = settle_golden(graphs, candidates)
    notes = (*notes, *origin.found())
    manifest = Manifest(
        task="module",
        graphs=specs,
        opset_version=options.opset_version,
        ir_version=options.ir_version,
        files={},
        provenance=Provenance(
            origin.kind, versions=versions(), notes=notes, weights=origin.weights
        ),
        variants={"float32": LAYOUT.model},
        parity=parity,
        stream_start=None if streamed is None else streamed.contract.stream_start,
        independent_rows=independent,
    )
    card = module_card(origin.name, specs, notes, parity, origin.weights)
    contents = {**graphs, LAYOUT.golden: golden_bytes(golden), LAYOUT.card: card.encode()}
    return write_bundle(path, manifest, contents, force=force)


def _stream(
    module: nn.Module, result: Exported, options: GraphOptions, wanted: bool | None
) -> tuple[ModuleStream | None, tuple[str, ...]]:
    """The stream graph, if there is to be one, and the notes of the bundle."""
    if wanted is False:
        return None, (*result.notes, "no stream graph: it was not asked for")
    try:
        return module_stream(module, result, options), result.notes
    except NoStreamError as error:
        if wanted:
            raise ExportError(
                f"{type(module).__name__} cannot stream: {error}; export it without stream=True"
            ) from error
        return None, (*result.notes, f"this module cannot stream: {error}")
