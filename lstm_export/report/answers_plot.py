"""The plot of `predict` for models of sequences: truth against answer, or tags over their steps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.data.vocabulary import words
from lstm_export.errors import OptionError
from lstm_export.files import write_atomic
from lstm_export.report.agreement_figure import Agreement, agreement_figure
from lstm_export.report.confusion_figure import LARGEST, confusion_figure
from lstm_export.report.svg import drawing_style, image_bytes
from lstm_export.report.tags_figure import TaggedPlot, tags_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lstm_export.runtime.answer_scores import LabelScores
    from lstm_export.runtime.sequence_table import Answered

_TARGETS = 4
_TAGGED = 8


def save_answers(path: Path, answered: Answered, scores: LabelScores | None) -> None:
    """Draws which labels are taken for which, numbers against the truth, or the first sequences
    with the labels of their steps. `scores` are those of labels whose truth is known.

    Raises OptionError where there is nothing to draw: no truth, or too many classes.
    """
    with drawing_style():
        figure = _figure(answered, scores)
        write_atomic(path, image_bytes(figure, path.suffix.lower().removeprefix(".")))


def _figure(answered: Answered, scores: LabelScores | None) -> Figure:
    terms, given = answered.terms, answered.given
    if terms.pooling is None:
        return _tags(answered)
    if given.numbers is not None:
        values = answered.values.astype(np.float64)
        return agreement_figure(
            [
                Agreement(target.name, target.unit, given.numbers[:, i], values[:, i])
                for i, target in enumerate(terms.targets[:_TARGETS])
            ]
        )
    if scores is None:
        raise OptionError(
            "--plot draws answers against the truth, and this table does not have it in "
            f"{', '.join(map(repr, terms.answer))}"
        )
    if len(scores.labels) > LARGEST:
        raise OptionError(
            f"--plot draws up to {LARGEST} labels against each other, and here are "
            f"{len(scores.labels)}: leave it out, --json has the counts"
        )
    return confusion_figure(scores.labels, scores.confusion)


def _tags(answered: Answered) -> Figure:
    given, said = answered.given, answered.labels
    starts = np.concatenate([[0], np.cumsum(answered.lengths)]).astype(int).tolist()
    plots = []
    for i, name in enumerate(given.names[:_TAGGED]):
        steps = slice(starts[i], starts[i + 1])
        values = None if given.values is None else given.values[steps]
        text = None if given.texts is None else words(given.texts[i])
        truth = None if given.labels is None else given.labels[steps]
        plots.append(TaggedPlot(name, values, text, truth, said[steps]))
    labels = [label for label, _ in Counter(said).most_common()]
    others = [label for label in dict.fromkeys(given.labels or ()) if label not in set(labels)]
    return tags_figure(plots, [*labels, *others])
