"""Which sequences train, validate and test."""

from __future__ import annotations

import itertools

import numpy as np

from lstm_export.data.sequences.answers import check_labels
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.sequences.split import split_sequences
from lstm_export.data.split import TEST, TRAIN, VALIDATION, Parts
from lstm_export.errors import DataError
from lstm_export.training.options import TrainOptions

_SEED = 0
"""The parts are the same for every --seed, so that runs can be compared."""


def divided(
    whole: SequenceSet, tests: SequenceSet | None, options: TrainOptions, notes: list[str]
) -> dict[int, SequenceSet]:
    """The sequences of each part, by data.split's names of them; `notes` gets what is to be told.

    `tests` are the test part where they come from a file of their own. Raises DataError for a
    label that no training sequence has, and where too few sequences are left for a part.
    """
    stratified = whole.labels if options.task == "classify" else None
    fraction = 0.0 if tests is not None else options.test
    part = split_sequences(stratified, len(whole), options.validation, fraction, _SEED)
    if options.task == "tag":
        notes += _keep_every_label_in_training(whole, part)
    sets = {kind: whole.take(np.flatnonzero(part == kind)) for kind in (TRAIN, VALIDATION, TEST)}
    if tests is not None:
        sets[TEST] = tests
        notes += tests.notes
    for kind in (VALIDATION, TEST):
        if sets[kind].labels is not None:
            check_labels(sets[TRAIN].labels or (), sets[kind].labels or (), sets[kind].label_names)
    return sets


def _keep_every_label_in_training(whole: SequenceSet, part: Parts) -> list[str]:
    """Moves sequences into the training part until it has every label; a note on how many.

    Sequences of tags cannot be dealt out label by label, since each has several. Raises DataError
    where that leaves another part empty.
    """
    assert whole.labels is not None
    before = set(part.tolist())
    of_sequence = [
        set(whole.labels[start:stop]) for start, stop in itertools.pairwise(whole.starts.tolist())
    ]
    known = set().union(*(of_sequence[i] for i in np.flatnonzero(part == TRAIN).tolist()))
    moved = 0
    for i in np.flatnonzero(part != TRAIN).tolist():
        if of_sequence[i] - known:
            part[i] = TRAIN
            known |= of_sequence[i]
            moved += 1
    if not moved:
        return []
    if before - set(part.tolist()):
        raise DataError(
            f"too many labels occur in one sequence alone: {moved} of {len(whole)} sequences had "
            "to be trained on for theirs, and none is left to validate or test with. Use more "
            "sequences, or fewer labels"
        )
    who = f"{moved} sequence{'s' if moved > 1 else ''}"
    return [f"{who} trained on and not tested: they have labels that no other training one has"]
