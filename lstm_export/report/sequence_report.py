"""The report of a run that classifies, regresses or tags: what it answers and how well."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_export.checkpoint import Description, read_description
from lstm_export.contract import Sequences
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.vocabulary import words
from lstm_export.report.agreement_figure import Agreement, agreement_figure
from lstm_export.report.answer_tables import (
    MODEL,
    baseline_tables,
    class_table,
    pairs_table,
    share,
    worst_labels,
    worst_numbers,
    worst_tagged,
)
from lstm_export.report.answers_file import KnownLabels, KnownNumbers, read_answers
from lstm_export.report.commands import after_training
from lstm_export.report.confusion_figure import LARGEST, NARROW, confusion_figure
from lstm_export.report.page import Block, Code, Page, Section, Tile, plot, write_page
from lstm_export.report.parity_section import parity_section, parity_tile, verdict
from lstm_export.report.sequence_facts import sequence_facts, sequence_sentence
from lstm_export.report.speed_section import files_section
from lstm_export.report.svg import drawing_style
from lstm_export.report.tags_figure import TaggedPlot, tags_figure
from lstm_export.report.text import number, short
from lstm_export.report.training_section import training_section

if TYPE_CHECKING:
    from lstm_export.parity.report import ParityReport

_TARGETS = 4
_TAGGED = 5
"""Sequences that are drawn with their tags."""


def write_sequence_report(
    path: Path, *, run: Path, bundle: Path | None, parity: ParityReport | None, tested: SequenceSet
) -> None:
    """Writes the page on the finished run at `run` to `path`, whole or not at all.

    `tested` are the sequences of its test part. Raises CheckpointError if the run cannot be read,
    OutputError if the page cannot be written, and MissingExtraError where the report extra is
    absent.
    """
    description = read_description(run)
    terms, data = description.sequence_terms, description.data
    answers = read_answers(run, terms)
    loss = "loss (cross-entropy)" if terms.classes else "loss (scaled units, squared)"
    result = "answers.csv"
    sections = [
        _answers_section(description, answers),
        _steps_section(terms, answers, tested),
        _worst_section(terms, answers),
        training_section(run, description, sequence_facts(description), loss),
        None if parity is None else parity_section(parity),
        files_section(run, bundle),
        Section("What to do next", "", [Code(after_training(run, data.name, "--out", result))]),
    ]
    page = Page(
        eyebrow=f"lstm-export · {data.name} · {data.rows:,} rows",
        title=_title(terms),
        lead=_lead(description),
        verdict=None if parity is None else verdict(parity),
        tiles=_tiles(description, parity),
        sections=[section for section in sections if section is not None],
        footer=f"Weights sha256 {description.weights_sha256[:16]}…, seed {description.seed}.",
    )
    write_page(path, page)


def _title(terms: Sequences) -> str:
    names = [short(name, 30) for name in terms.answer]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
    if terms.pooling is None:
        return f"{shown} of every step"
    kind = "text" if terms.vocabulary else "sequence"
    return f"{shown} of a {kind}"


def _lead(description: Description) -> str:
    terms, test = description.sequence_terms, description.metrics["test"]
    sentence = sequence_sentence(description)
    if not terms.classes:
        target = terms.targets[0]
        model = test[MODEL][target.name]
        others = {name: by[target.name]["rmse"] for name, by in test.items() if name != MODEL}
        best = min(others, key=lambda name: others[name])
        unit = f" {short(target.unit)}" if target.unit else ""
        return (
            f"{sentence} On the test part, which it never saw, its error (RMSE) on "
            f"{short(target.name)} is {number(model['rmse'])}{unit}; the best baseline ({best}) "
            f"has {number(others[best])}."
        )
    others = {name: scores["accuracy"] for name, scores in test.items() if name != MODEL}
    best = max(others, key=lambda name: others[name])
    what = "steps" if terms.pooling is None else "sequences"
    return (
        f"{sentence} On the test part, which it never saw, {share(test[MODEL]['accuracy'])} of "
        f"the {what} are right; the best baseline ({best}) has {share(others[best])}."
    )


def _tiles(description: Description, parity: ParityReport | None) -> list[Tile]:
    terms, test = description.sequence_terms, description.metrics["test"]
    tiles = []
    if terms.classes:
        keys = [("Test accuracy", "accuracy", share), ("Test macro-F1", "macro_f1", number)]
        own: Any = test
    else:
        keys = [("Test RMSE", "rmse", number), ("Test R²", "r2", number)]
        own = {name: by[terms.targets[0].name] for name, by in test.items()}
    for label, key, shown in keys:
        notes = [f"{name}: {shown(by[key])}" for name, by in own.items() if name != MODEL]
        tiles.append(Tile(label, shown(own[MODEL][key]), ", ".join(notes)))
    if parity is not None:
        tiles.append(parity_tile(parity))
    return tiles


def _answers_section(
    description: Description, answers: KnownLabels | KnownNumbers | None
) -> Section:
    terms, metrics = description.sequence_terms, description.metrics
    blocks: list[Block] = []
    with drawing_style():
        if isinstance(answers, KnownNumbers):
            blocks.append(_agreement(terms, answers))
        if terms.classes:
            blocks += _confusion(terms, metrics)
    blocks += baseline_tables(terms, metrics)
    if terms.classes:
        blocks.append(class_table(metrics))
    known = {
        "majority": "majority always gives the commonest label",
        "mean": "mean always gives that of the training part",
        "1-NN": "1-NN the answer of the nearest training sequence",
    }
    words_of = [text for name, text in known.items() if name in metrics["test"]]
    text = "Baselines: " + ", ".join(words_of) + "."
    text += "".join(f" Note: {note}." for note in metrics.get("baseline_notes", ()))
    beside = 0 < len(terms.classes) <= NARROW
    return Section("Answers against truth", text, blocks, beside=beside)


def _steps_section(
    terms: Sequences, answers: KnownLabels | KnownNumbers | None, tested: SequenceSet
) -> Section | None:
    if terms.pooling is not None or not isinstance(answers, KnownLabels):
        return None
    with drawing_style():
        return Section("Step by step", "", [_tags(answers, tested)])


def _confusion(terms: Sequences, metrics: Any) -> list[Block]:
    matrix = np.array(metrics["confusion"])
    if len(terms.classes) > LARGEST:
        return [pairs_table(terms.classes, matrix)]
    figure = confusion_figure(terms.classes, matrix)
    caption = (
        "Each row is what is true, each column what was answered: blue is right, orange wrong, "
        "the deeper the larger its share of the row."
    )
    alt = f"Heat map of {len(terms.classes)} classes, truth against answer."
    return [plot(figure, "confusion", caption, alt=alt, wide=len(terms.classes) > NARROW)]


def _agreement(terms: Sequences, answers: KnownNumbers) -> Block:
    plots = [
        Agreement(target.name, target.unit, answers.truth[:, i], answers.prediction[:, i])
        for i, target in enumerate(terms.targets[:_TARGETS])
    ]
    caption = f"The {len(answers.names):,} sequences of the test part; on the dashes: no error."
    if len(terms.targets) > _TARGETS:
        caption += f" The first {_TARGETS} of {len(terms.targets)} targets."
    alt = "Predictions against truth, their errors against truth, and how the errors spread."
    return plot(agreement_figure(plots), "agreement", caption, alt=alt)


def _tags(answers: KnownLabels, tested: SequenceSet) -> Block:
    """The first sequences of the test part, whose steps predictions.csv has in order."""
    plots = []
    for i, name in enumerate(tested.names[:_TAGGED]):
        steps = slice(int(tested.starts[i]), int(tested.starts[i + 1]))
        values = None if tested.values is None else tested.values[steps]
        text = None if tested.texts is None else words(tested.texts[i])
        truth, said = answers.truth[steps], answers.answer[steps]
        plots.append(TaggedPlot(name, values, text, truth, said))
    labels = [label for label, _ in Counter(answers.truth).most_common()]
    caption = f"The first {len(plots)} sequences of the test part, with truth and answer."
    alt = f"{len(plots)} sequences with their true and their answered labels as coloured bands."
    return plot(tags_figure(plots, labels), "tags", caption, alt=alt)


def _worst_section(terms: Sequences, answers: KnownLabels | KnownNumbers | None) -> Section | None:
    if answers is None:
        return None
    if isinstance(answers, KnownNumbers):
        return Section("Where it is most wrong", "", worst_numbers(terms, answers))
    table = worst_tagged(answers) if terms.pooling is None else worst_labels(answers)
    if table is None:
        return Section("Where it is most wrong", "Nowhere: every answer on the test part is right.")
    return Section("Where it is most wrong", "", [table])
