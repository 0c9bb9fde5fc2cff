"""What options do on held-out parts of the training data: how those of results.py were chosen.

    python benchmarks/held_out.py digits [--folds 5] [--seeds 1] [--set 'lr=0.003 pooling="mean"'] …

The sequences that train and validate, never those that test, are dealt into five folds, label by
label. Each fold of the first `--folds` is held out in turn: a model is trained on the other four
and judged on it. For `sum` the sequences of more than ten numbers are held out, since what counts
there is a length that was not trained on. Each `--set` (TOML, values apart by spaces) is laid over
the options of the case, and gets a line: mean and minimum of the score over folds and seeds, of
labels the mean of −log p(truth) as well, which tells apart what is equally often right, and the
best epoch of every model.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import os
import statistics
import tempfile
import tomllib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from results import CASES, DATA, score

from lstm_export.data.embedded import known
from lstm_export.data.sequences.split import split_sequences
from lstm_export.data.split import TEST
from lstm_export.training.options import TrainOptions
from lstm_export.training.train import train

FOLDS = 5
LONG = 10
"""Numbers of a sequence of `sum`: longer ones are held out."""

Rows = list[list[str]]


def sequences_of(options: TrainOptions) -> tuple[list[str], list[Rows]]:
    """The header, and the rows of each sequence that is not of the test part."""
    embedded = known(options.data)
    text = embedded.csv().decode() if embedded else Path(options.data).read_text("utf-8")
    header, *rows = csv.reader(io.StringIO(text))
    by_id: dict[str, Rows] = defaultdict(list)
    for i, row in enumerate(rows):
        by_id[row[header.index(options.series_id)] if options.series_id else str(i)].append(row)
    sequences = list(by_id.values())
    if options.test_data or (embedded and embedded.test):
        return header, sequences
    labels = _labels(options, header, sequences)
    part = split_sequences(labels, len(sequences), options.validation, options.test, 0)
    return header, [one for one, kind in zip(sequences, part, strict=True) if kind != TEST]


def folds_of(options: TrainOptions, header: list[str], sequences: list[Rows]) -> list[int]:
    """The fold of each sequence, from 0; of `sum` 0 for the long ones, 1 for the others."""
    if options.data == "sum":
        return [int(len(rows) <= LONG) for rows in sequences]
    labels = _labels(options, header, sequences) or [""] * len(sequences)
    shuffled = np.random.default_rng(0).permutation(len(sequences)).tolist()
    folds = [0] * len(sequences)
    for dealt, i in enumerate(sorted(shuffled, key=lambda i: labels[i])):
        folds[i] = dealt % FOLDS
    return folds


def _labels(options: TrainOptions, header: list[str], sequences: list[Rows]) -> list[str] | None:
    if options.task != "classify":
        return None
    return [rows[0][header.index(options.target[0])] for rows in sequences]


def log_loss(run: Path) -> float:
    """The mean of −log p(truth) over the predictions of a run; NaN where they are numbers."""
    with (run / "predictions.csv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    (truth,) = (column for column in rows[0] if column.endswith(" truth"))
    try:
        given = [float(row[f"probability of {row[truth]}"]) for row in rows]
    except KeyError:
        return math.nan
    return -statistics.mean(math.log(max(p, 1e-7)) for p in given)


def measure(options: TrainOptions, folds: int, seeds: int) -> str:
    """A line of scores, and the best epochs."""
    header, sequences = sequences_of(options)
    fold_of = folds_of(options, header, sequences)
    scores: list[float] = []
    losses: list[float] = []
    epochs: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        for held_out in range(min(folds, len(set(fold_of)) - (options.data == "sum"))):
            files = [Path(folder) / name for name in ("train.csv", "test.csv")]
            for file, tests in zip(files, (False, True), strict=True):
                with file.open("w", encoding="utf-8", newline="") as opened:
                    writer = csv.writer(opened)
                    writer.writerow(header)
                    for rows, fold in zip(sequences, fold_of, strict=True):
                        if (fold == held_out) is tests:
                            writer.writerows(rows)
            for seed in range(seeds):
                train_file, test_file = map(str, files)
                changed = replace(options, data=train_file, test_data=test_file, seed=seed)
                result = train(changed, Path(folder) / "run", force=True)
                metrics = result.description.metrics
                scores.append(score(metrics["test"]["model"]))
                losses.append(log_loss(Path(folder) / "run"))
                epochs.append(metrics["best_epoch"])
    return (
        f"mean {statistics.mean(scores):.4f}, least {min(scores):.4f}, log-loss "
        f"{statistics.mean(losses):.4f}, best epochs {sorted(epochs)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("LSTM_EXPORT_DATA", DATA)))
    given = parser.parse_args()
    torch.set_num_threads(1)
    for changes in given.set or [""]:
        changed = tomllib.loads(changes.replace(" ", "\n"))
        options = CASES[given.case].options(given.case, given.data, **changed)
        print(f"{measure(options, given.folds, given.seeds)}  {changes}", flush=True)


if __name__ == "__main__":
    main()
