"""The page of a run that classifies: hostile names, many classes, and nobody to compare with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lstm_export.checkpoint import Description, write_checkpoint
from lstm_export.contract import Column, DataOrigin, Recurrent, Scaling, Sequences
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.write import csv_text
from lstm_export.errors import CheckpointError
from lstm_export.report.sequence_report import write_sequence_report

HOSTILE = '<script>alert("x")</script> $y_1$ & \x07'


def classified(folder: Path, classes: tuple[str, ...]) -> SequenceSet:
    """A run over two sequences of each class; of the first class the second is taken wrongly."""
    terms = Sequences(
        answer=(HOSTILE,),
        features=(Column("v", "", -1.0, 1.0),),
        input_scaling=Scaling("none", (0.0,), (1.0,)),
        vocabulary=None,
        embedding_size=0,
        recurrent=Recurrent("gru", 1, 2),
        pooling="mean",
        classes=classes,
    )
    count = len(classes)
    truth = [name for name in classes for _ in range(2)]
    said = [classes[0], classes[1], *truth[2:]]
    matrix = 2 * np.eye(count, dtype=int)
    matrix[0, :2] = 1
    by_class = {name: {"precision": 1.0, "recall": 1.0, "count": 2} for name in classes}
    metrics = {
        "test": {name: {"accuracy": 0.5, "macro_f1": 0.25} for name in ("model", "majority")},
        "classes": list(classes),
        "confusion": matrix.tolist(),
        "by_class": by_class,
        "sequences": {"train": 9, "validation": 2, "test": len(truth)},
    }
    folder.mkdir()
    origin = DataOrigin(HOSTILE, "0" * 64, 200)
    description = Description(None, origin, 0, metrics, {}, terms, task="classify")
    write_checkpoint(folder, description, {"head.bias": np.zeros(count, np.float32)})
    names = tuple(f"line {i}" for i in range(len(truth)))
    columns = {"sequence": names, f"{HOSTILE} truth": truth, f"{HOSTILE} prediction": said}
    columns |= {f"probability of {name}": [float(one == name) for one in said] for name in classes}
    (folder / "predictions.csv").write_text(csv_text(columns), encoding="utf-8")
    starts = np.arange(len(truth) + 1)
    return SequenceSet(
        names, np.zeros((len(truth), 1)), None, starts, ("v",), (HOSTILE,), tuple(truth), None
    )


@pytest.mark.parametrize("classes", [("a", HOSTILE), tuple(map(str, range(40)))])
def test_the_page_of_labels(classes: tuple[str, ...], tmp_path: Path) -> None:
    tested = classified(tmp_path / "run", classes)
    page = tmp_path / "r.html"
    write_sequence_report(page, run=tmp_path / "run", bundle=None, parity=None, tested=tested)
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "\x07" not in text
    assert "The only sequence that is wrong" in text
    assert "50.0\N{NO-BREAK SPACE}% of the sequences are right" in text
    assert ("<svg" in text) == (len(classes) == 2)  # of forty classes, the confused pairs
    assert ("The labels that are confused most often" in text) == (len(classes) == 40)


def test_damaged_predictions_are_one_error(tmp_path: Path) -> None:
    tested = classified(tmp_path / "run", ("a", "b"))
    (tmp_path / "run" / "predictions.csv").write_text("sequence\n1\n")
    with pytest.raises(CheckpointError, match=r"predictions\.csv is damaged"):
        write_sequence_report(
            tmp_path / "r.html", run=tmp_path / "run", bundle=None, parity=None, tested=tested
        )
    assert not (tmp_path / "r.html").exists()
