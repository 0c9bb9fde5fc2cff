"""The README of a module's bundle: its tensors and a few lines to run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import ParitySummary, WeightsOrigin
from lstm_export.contract import GraphSpec
from lstm_export.exporting.bundles.card import markdown, render_card


def module_card(
    name: str,
    graphs: Mapping[str, GraphSpec],
    notes: Sequence[str],
    parity: ParitySummary,
    weights: WeightsOrigin | None = None,
) -> str:
    """The card of the module `name`, exported with `notes`; made of `weights` if not of code."""
    graph = graphs[LAYOUT.model]
    streamed = _streamed(graphs[LAYOUT.stream]) if LAYOUT.stream in graphs else []
    inputs = [spec.name for spec in graph.inputs]
    return render_card(
        "module_card.md.jinja",
        title=markdown(name),
        graph=graph,
        notes=[markdown(note) for note in notes],
        feeds=_feeds(inputs),
        chunk=_feeds(streamed),
        first=graph.inputs[0],
        names=", ".join(inputs),
        parity=parity,
        source=None if weights is None else markdown(f"{weights.file} ({weights.format})"),
        taken_for=None if weights is None else markdown(weights.taken_for),
    )


def _streamed(graph: GraphSpec) -> list[str]:
    """The data inputs of a stream graph."""
    finals = {spec.name for spec in graph.outputs}
    states = {f"initial_{name[6:]}" for name in finals if name.startswith("final_")}
    return [spec.name for spec in graph.inputs if spec.name not in states]


def _feeds(names: Sequence[str]) -> str:
    """How tensors of these names are given to a model."""
    if all(name.isidentifier() for name in names):
        return ", ".join(f"{name}={name}" for name in names)
    return "{" + ", ".join(f'"{name}": …' for name in names) + "}"
