"""The answers to the test part of a run, from its predictions.csv."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstm_export.contract import Sequences
from lstm_export.errors import CheckpointError
from lstm_export.report.axes import Values
from lstm_export.report.run_files import PREDICTIONS


@dataclass(frozen=True, slots=True)
class KnownLabels:
    """Labels of sequences or of steps, one per row of the file."""

    names: list[str]
    """The sequence of each."""
    truth: list[str]
    answer: list[str]
    of_truth: Values
    """The probability that the model gave to what is true, (rows,)."""
    of_answer: Values
    """The probability that it gave to its answer, (rows,)."""


@dataclass(frozen=True, slots=True)
class KnownNumbers:
    """Target numbers of sequences, truth and prediction (sequences, targets)."""

    names: list[str]
    truth: Values
    prediction: Values


def read_answers(run: Path, terms: Sequences) -> KnownLabels | KnownNumbers | None:
    """None where the run has no such file. Raises CheckpointError if it is damaged."""
    file = run / PREDICTIONS
    try:
        rows = csv.reader(io.StringIO(file.read_text(encoding="utf-8"), newline=""))
        header = {name: i for i, name in enumerate(next(rows))}
        columns = list(zip(*rows, strict=True))
        if not columns:
            return None
        names = list(columns[header["sequence"]])

        def numbers(column: str) -> Values:
            return np.array(columns[header[column]], dtype=np.float64)

        if not terms.classes:
            truth, prediction = (
                np.column_stack([numbers(f"{target.name} {role}") for target in terms.targets])
                for role in ("truth", "prediction")
            )
            return KnownNumbers(names, truth, prediction)
        (answer,) = terms.answer
        true, said = (list(columns[header[f"{answer} {r}"]]) for r in ("truth", "prediction"))
        shares = np.column_stack([numbers(f"probability of {name}") for name in terms.classes])
        place = {name: i for i, name in enumerate(terms.classes)}
        row = np.arange(len(names))
        of_truth, of_answer = (
            shares[row, [place[label] for label in labels]] for labels in (true, said)
        )
        return KnownLabels(names, true, said, of_truth, of_answer)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"cannot read {file}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
        raise CheckpointError(f"{file} is damaged: {type(error).__name__}: {error}") from None
