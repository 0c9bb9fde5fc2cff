"""Batches of whole sequences, padded to the longest of each batch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lstm_export.nn.heads import PADDED


class SequenceBatches:
    """Some members of a set of sequences, all of whose steps lie one after the other.

    `steps` is (rows, features) scaled, or ids (rows,); sequence i is steps[starts[i]:starts[i+1]].
    `truth` is (sequences, targets), classes (sequences,), or, with `every_step`, classes (rows,).
    `members` are the sequences that are meant.
    """

    def __init__(
        self, steps: Tensor, starts: Tensor, truth: Tensor, members: Tensor, *, every_step: bool
    ) -> None:
        self._steps, self._truth, self._every_step = steps, truth, every_step
        self._starts, self._ends = starts[:-1][members], starts[1:][members]
        self._members = members

    def __len__(self) -> int:
        return len(self._members)

    def batches(
        self, size: int, order: Tensor | None = None, first: int = 0
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The steps (batch, sequence_length, …), the truth, and lengths (batch,) int64.

        `order` permutes the members; `first` batches are left out. Steps behind the end of a
        sequence repeat its last; their truth is PADDED.
        """
        for begin in range(first * size, len(self), size):
            places = slice(begin, begin + size)
            chosen = torch.arange(begin, min(begin + size, len(self)), device=self._starts.device)
            if order is not None:
                chosen = order[places]
            starts, ends = self._starts[chosen], self._ends[chosen]
            lengths = ends - starts
            counted = torch.arange(int(lengths.max()), device=starts.device)
            rows = torch.minimum(starts.unsqueeze(1) + counted, ends.unsqueeze(1) - 1)
            truth = self._truth[rows] if self._every_step else self._truth[self._members[chosen]]
            if self._every_step:
                truth = truth.masked_fill(counted >= lengths.unsqueeze(1), PADDED)
            yield self._steps[rows], truth, lengths
