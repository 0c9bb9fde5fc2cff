"""The README of a bundle of a model of sequences: what it is and a few lines to run it."""

from __future__ import annotations

from lstm_export.bundle.manifest import ParitySummary
from lstm_export.contract import Column, Sequences, Task, Vocabulary
from lstm_export.exporting.bundles.card import markdown, render_card

_DOES: dict[Task, str] = {
    "classify": "Classes of sequences",
    "regress": "Numbers for sequences",
    "tag": "A label for every step",
}
_SHOWN = 12
"""Names of classes that a card shows."""


def sequence_card(terms: Sequences, name: str, parity: ParitySummary) -> str:
    """The card of a model that was trained on the data set `name`."""
    recurrent = terms.recurrent
    directions = ", two directions" if recurrent.bidirectional else ""
    projection = f", projected to {recurrent.proj_size}" if recurrent.proj_size else ""
    layers = f"{recurrent.num_layers} layer{'s' if recurrent.num_layers != 1 else ''}"
    facts = [
        ("reads", _reads(terms)),
        ("answers", _answers(terms)),
        (
            "network",
            f"{recurrent.cell.upper()}, {layers} of {recurrent.hidden_size}{projection}{directions}"
            + (f"; {terms.pooling} over the steps" if terms.pooling else ""),
        ),
    ]
    return render_card(
        "sequence_card.md.jinja",
        title=markdown(f"{_DOES[terms.task]}: {', '.join(terms.answer)}"),
        summary=markdown(f"A recurrent model trained on {name}, exported by lstm-export."),
        facts=[(label, markdown(value)) for label, value in facts],
        given=markdown(_given(terms)),
        terms=terms,
        task=terms.task,
        width=terms.width,
        parity=parity,
    )


def _reads(terms: Sequences) -> str:
    if terms.vocabulary is not None:
        return _symbols(terms.vocabulary)
    scaled = "" if terms.input_scaling.kind == "none" else "; scaling is inside the graph"
    return f"rows of {', '.join(map(_with_unit, terms.features))}, raw values{scaled}"


def _symbols(vocabulary: Vocabulary) -> str:
    cased = ", in lower case" if vocabulary.lowercase else ""
    return (
        f"texts, as {vocabulary.level}s{cased}: ids of the {len(vocabulary.symbols)} in "
        "manifest.json, from 1 on; 0 for any other"
    )


def _answers(terms: Sequences) -> str:
    each = "" if terms.pooling else "at every step "
    if terms.targets:
        return f"{each}{', '.join(map(_with_unit, terms.targets))}"
    names = ", ".join(terms.classes[:_SHOWN])
    more = f", and {len(terms.classes) - _SHOWN} more" if len(terms.classes) > _SHOWN else ""
    return f"{each}the probabilities of {terms.width} classes: {names}{more}"


def _given(terms: Sequences) -> str:
    """What a program has at hand, in the words of a comment."""
    if terms.vocabulary is not None:
        return "a text, or a list of texts"
    columns = ", ".join(column.name for column in terms.features)
    return f"(sequence_length, {len(terms.features)}) of {columns}, or a list of such"


def _with_unit(column: Column) -> str:
    return f"{column.name} [{column.unit}]" if column.unit else column.name
