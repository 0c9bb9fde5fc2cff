"""What a model of sequences is worth on the test part, beside who answers without learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lstm_export.contract import Sequences
from lstm_export.data.metrics import accuracy, confusion, macro_f1, mae, precision, r2, recall, rmse
from lstm_export.data.sequences.baselines import baselines
from lstm_export.nn.sequence_model import SequenceModel
from lstm_export.training.prepare_sequences import Part
from lstm_export.training.sequence_batches import SequenceBatches

MODEL = "model"

Answers = npt.NDArray[np.float64]


def answers(model: SequenceModel, part: Part, batch: int) -> Answers:
    """What the model says: (sequences, width), or (rows, width) where every step is answered.

    Probabilities, or numbers in the targets' units.
    """
    device = next(model.parameters()).device
    arrays = (part.steps, part.starts, part.truth, np.arange(len(part)))
    steps, starts, truth, members = (torch.from_numpy(array).to(device) for array in arrays)
    every_step = model.terms.pooling is None
    pieces = []
    model.eval()
    with torch.no_grad():
        batches = SequenceBatches(steps, starts, truth, members, every_step=every_step)
        for x, _, lengths in batches.batches(batch):
            answer = model.head.answer(model.scores(x, lengths)).cpu()
            if every_step:
                inside = torch.arange(x.shape[1]) < lengths.cpu().unsqueeze(1)
                answer = answer[inside]
            pieces.append(answer)
    return torch.cat(pieces).double().numpy()


def test_metrics(terms: Sequences, train: Part, test: Part, predicted: Answers) -> dict[str, Any]:
    """`test` by method, and for labels `classes`, `confusion` and `by_class` of the model.

    Labels have accuracy and macro_f1; numbers rmse, mae and r2 by target. `baseline_notes` tell
    what a baseline left out.
    """
    others = baselines(train.source, test.source)
    notes = {"baseline_notes": [note for one in others for note in one.notes]}
    if not terms.classes:
        assert test.source.numbers is not None
        names = [target.name for target in terms.targets]
        own = {MODEL: _errors(names, predicted, test.source.numbers)}
        theirs = {
            one.name: _errors(names, one.numbers, test.source.numbers[one.asked])
            for one in others
            if one.numbers is not None
        }
        return {"test": own | theirs, **notes}
    count = len(terms.classes)
    number = {name: i for i, name in enumerate(terms.classes)}
    matrix = confusion(test.truth, predicted.argmax(axis=1), count)
    matrices = {MODEL: matrix} | {
        one.name: confusion(
            test.truth[one.asked], np.array([number[label] for label in one.labels]), count
        )
        for one in others
        if one.labels is not None
    }
    counts = matrix.sum(axis=1).tolist()
    shares = zip(precision(matrix).tolist(), recall(matrix).tolist(), counts, strict=True)
    return {
        "test": {
            method: {"accuracy": accuracy(one), "macro_f1": macro_f1(one)}
            for method, one in matrices.items()
        },
        "classes": list(terms.classes),
        "confusion": matrix.tolist(),
        "by_class": {
            name: {"precision": named, "recall": found, "count": known}
            for name, (named, found, known) in zip(terms.classes, shares, strict=True)
        },
        **notes,
    }


def _errors(names: Sequence[str], predicted: Answers, truth: Answers) -> dict[str, dict[str, Any]]:
    """RMSE, MAE and R² by target; None where the truth never varies."""
    root, absolute, explained = (
        [None if np.isnan(value) else value for value in measure(predicted, truth).tolist()]
        for measure in (rmse, mae, r2)
    )
    return {
        name: {"rmse": root[i], "mae": absolute[i], "r2": explained[i]}
        for i, name in enumerate(names)
    }


def prediction_columns(
    terms: Sequences, test: Part, predicted: Answers
) -> dict[str, Sequence[object]]:
    """predictions.csv: a row per sequence, or per step: its name, truth and prediction.

    For labels there is the probability of each; for numbers a pair of columns per target.
    """
    source = test.source
    columns: dict[str, Sequence[object]] = {"sequence": source.names}
    if terms.pooling is None:
        lengths = np.diff(test.starts)
        columns = {
            "sequence": np.repeat(np.array(source.names, dtype=object), lengths).tolist(),
            "step": np.concatenate([np.arange(1, n + 1) for n in lengths]).tolist(),
        }
    if not terms.classes:
        assert source.numbers is not None
        for i, target in enumerate(terms.targets):
            columns[f"{target.name} truth"] = source.numbers[:, i].tolist()
            columns[f"{target.name} prediction"] = predicted[:, i].tolist()
        return columns
    (answer,) = terms.answer
    columns[f"{answer} truth"] = source.labels or ()
    columns[f"{answer} prediction"] = [terms.classes[i] for i in predicted.argmax(axis=1)]
    for i, name in enumerate(terms.classes):
        columns[f"probability of {name}"] = predicted[:, i].tolist()
    return columns
