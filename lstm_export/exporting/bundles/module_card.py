"""The README of a module's bundle: its tensors and a few lines to run it."""

from __future__ import annotations

from collections.abc import Sequence

from lstm_export.bundle.manifest import ParitySummary
from lstm_export.contract import GraphSpec
from lstm_export.exporting.bundles.card import markdown, render_card


def module_card(name: str, graph: GraphSpec, notes: Sequence[str], parity: ParitySummary) -> str:
    """The card of the module class `name`, exported with `notes`."""
    inputs = [spec.name for spec in graph.inputs]
    identifiers = all(one.isidentifier() for one in inputs)
    return render_card(
        "module_card.md.jinja",
        title=markdown(name),
        graph=graph,
        notes=[markdown(note) for note in notes],
        feeds=", ".join(f"{one}={one}" for one in inputs)
        if identifiers
        else "{" + ", ".join(f'"{one}": …' for one in inputs) + "}",
        first=graph.inputs[0],
        names=", ".join(inputs),
        parity=parity,
    )
