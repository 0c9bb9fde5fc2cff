"""How good answers are, as tables: beside the baselines, by class, and the worst by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lstm_export.contract import Sequences
from lstm_export.data.metrics import Confusion
from lstm_export.report.answers_file import KnownLabels, KnownNumbers
from lstm_export.report.confusion_figure import most_confused
from lstm_export.report.page import Table
from lstm_export.report.text import number, short

MODEL = "model"
_WORST = 12
_PAIRS = 20
_CLASSES = 60
"""Rows of the table by class; of more classes, those that are found worst."""


def baseline_tables(terms: Sequences, metrics: Mapping[str, Any]) -> list[Table]:
    """The model beside who answers without learning: one table for labels, one per target."""
    test = metrics["test"]
    if terms.classes:
        rows = [
            [method, share(scores["accuracy"]), number(scores["macro_f1"])]
            for method, scores in test.items()
        ]
        caption = f"{short(terms.answer[0])}, test part"
        return [Table(caption, ["method", "accuracy", "macro-F1"], rows, frozenset({0}))]
    tables = []
    for target in terms.targets:
        unit = f" ({short(target.unit)})" if target.unit else ""
        rows = [
            [method, *(number(by[target.name][key]) for key in ("rmse", "mae", "r2"))]
            for method, by in test.items()
        ]
        header = ["method", "RMSE", "MAE", "R²"]
        tables.append(Table(f"{short(target.name)}{unit}, test part", header, rows, frozenset({0})))
    return tables


def class_table(metrics: Mapping[str, Any]) -> Table:
    """Precision, recall and how often it is true, of every class."""
    scores = list(metrics["by_class"].items())
    caption = "By class: right among those that name it (precision), found where true (recall)"
    if len(scores) > _CLASSES:
        caption = f"The {_CLASSES} of {len(scores):,} classes that are found worst"
        scores = sorted(scores, key=lambda pair: pair[1]["recall"])[:_CLASSES]
    rows = [
        [short(name), share(one["precision"]), share(one["recall"]), f"{one['count']:,}"]
        for name, one in scores
    ]
    return Table(caption, ["class", "precision", "recall", "in the test part"], rows)


def pairs_table(labels: Sequence[str], matrix: Confusion, limit: int = _PAIRS) -> Table:
    """The pairs of labels that are confused most often."""
    counts = matrix.sum(axis=1)
    rows = [
        [short(labels[true]), short(labels[said]), f"{times:,}", share(times / counts[true])]
        for true, said, times in most_confused(matrix, limit)
    ]
    header = ["truth", "answer", "times", "of the truth"]
    caption = "The labels that are confused most often" if rows else "No label is confused"
    return Table(caption, header, rows, frozenset(), frozenset({1}))


def worst_labels(tested: KnownLabels) -> Table | None:
    """The sequences whose truth the model believed in least; None where all are right."""
    wrong = [i for i, (t, a) in enumerate(zip(tested.truth, tested.answer, strict=True)) if t != a]
    wrong.sort(key=lambda i: tested.of_truth[i])
    rows = [
        [
            short(tested.names[i]),
            short(tested.truth[i]),
            short(tested.answer[i]),
            share(tested.of_truth[i]),
            share(tested.of_answer[i]),
        ]
        for i in wrong[:_WORST]
    ]
    header = ["sequence", "truth", "answer", "believed in the truth", "in the answer"]
    caption = "The only sequence that is wrong"
    if len(wrong) > 1:
        caption = f"{len(wrong):,} sequences are wrong; first what is believed in least"
    return Table(caption, header, rows, frozenset(), frozenset({1, 2})) if rows else None


def worst_tagged(tested: KnownLabels) -> Table | None:
    """The sequences with the smallest share of right steps; None where all are right."""
    names, index = np.unique(np.array(tested.names, dtype=object), return_inverse=True)
    right = np.array(tested.truth, dtype=object) == np.array(tested.answer, dtype=object)
    steps = np.bincount(index)
    found = np.bincount(index, weights=right)
    order = [i for i in np.argsort(found / steps, kind="stable") if found[i] < steps[i]][:_WORST]
    rows = [
        [
            short(names[i]),
            f"{steps[i]:,}",
            f"{int(steps[i] - found[i]):,}",
            share(found[i] / steps[i]),
        ]
        for i in order
    ]
    caption = "The sequences with the smallest share of right steps"
    return Table(caption, ["sequence", "steps", "wrong", "right"], rows) if rows else None


def worst_numbers(terms: Sequences, tested: KnownNumbers) -> list[Table]:
    """The sequences with the largest errors, for the first targets."""
    tables = []
    for i, target in enumerate(terms.targets[:3]):
        truth, said = tested.truth[:, i], tested.prediction[:, i]
        order = np.argsort(-np.abs(said - truth), kind="stable")[:_WORST]
        rows = [
            [short(tested.names[k]), *map(number, (truth[k], said[k], said[k] - truth[k]))]
            for k in order.tolist()
        ]
        caption = f"{short(target.name)}: the {len(rows)} largest errors"
        tables.append(Table(caption, ["sequence", "truth", "predicted", "error"], rows))
    return tables


def share(value: float) -> str:
    """A share of one in per cent, with a decimal."""
    return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"
