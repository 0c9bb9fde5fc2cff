"""Sequences of their own lengths with what is known of each, in a few flat arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SequenceSet:
    """Sequences of rows of numbers, or texts, with their labels or target numbers.

    Sequence i has the rows `values[starts[i]:starts[i + 1]]`, or the text `texts[i]`.
    """

    names: tuple[str, ...]
    """What each sequence is called: its id, or where it stands in the file."""
    values: npt.NDArray[np.float64] | None
    """(rows, features): the rows of all sequences one after the other; None for texts."""
    texts: tuple[str, ...] | None
    """One per sequence; None for numbers."""
    starts: Indices
    """(sequences + 1,): where each sequence begins among the rows. Of texts, where its tags begin
    among `labels`; all 0 where they are not tagged."""
    features: tuple[str, ...]
    """The columns of `values`; none for texts."""
    answer: tuple[str, ...]
    """The columns of labels or of target numbers; none where nothing is known."""
    labels: tuple[str, ...] | None
    """One per sequence; for tags, one per row, or per word of a text."""
    numbers: npt.NDArray[np.float64] | None
    """Target numbers, (sequences, targets)."""
    notes: tuple[str, ...] = ()
    """What a person must be told."""
    time: str | None = None
    """The column that the rows of a long table are in the order of; None: as in the file."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def lengths(self) -> Indices:
        """Rows of each sequence (of tagged texts, words), int64 (sequences,)."""
        return np.diff(self.starts)

    @property
    def tagged(self) -> bool:
        """Whether the labels are those of steps."""
        return self.labels is not None and self.starts[-1] == len(self.labels) != len(self)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The name of the sequence that each label belongs to."""
        if not self.tagged:
            return self.names
        return tuple(np.repeat(np.array(self.names, dtype=object), self.lengths).tolist())

    def take(self, indices: Indices) -> SequenceSet:
        """The sequences at `indices`, in their order."""
        lengths = self.lengths[indices]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        # Row k of the result is row k − (where its sequence begins now) + (where it began).
        rows = np.arange(starts[-1]) + np.repeat(self.starts[indices] - starts[:-1], lengths)
        labels = self.labels
        if labels is not None:
            labels = tuple(labels[i] for i in (rows if self.tagged else indices).tolist())
        return replace(
            self,
            names=tuple(self.names[i] for i in indices.tolist()),
            values=None if self.values is None else self.values[rows],
            texts=None if self.texts is None else tuple(self.texts[i] for i in indices.tolist()),
            starts=starts,
            labels=labels,
            numbers=None if self.numbers is None else self.numbers[indices],
        )
