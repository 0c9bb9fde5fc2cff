"""Batches of windows, gathered by index from views on the series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from lstm_export.contract import Window


class Batches(Protocol):
    """The members of one part of the data, in batches; each tensor's first axis is the batch."""

    def __len__(self) -> int: ...

    def batches(
        self, size: int, order: Tensor | None = None, first: int = 0
    ) -> Iterator[tuple[Tensor, ...]]:
        """`order` permutes the members; `first` batches are left out; the last holds the rest."""
        ...


_GATHERED = 1 << 18
"""Elements gathered at once: many small batches share one gather, and it stays within a cache."""


class WindowBatches:
    """The windows of one part of a series; memory grows with the series, not with the windows.

    `inputs` (rows, features) and `targets` (rows, targets) are the differenced and scaled rows;
    `starts` (windows,) are raw rows, int64, as `window_starts` gives them. With `warm_up` the
    targets are those of every step of the window but the first `warm_up`; without, of the last.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        starts: Tensor,
        window: Window,
        warm_up: int | None = None,
    ) -> None:
        self._inputs = inputs.unfold(0, window.context_length, 1).transpose(1, 2)
        self._targets = targets.unfold(0, window.horizon, 1).transpose(1, 2)
        self._starts = starts
        self._first_input, self._first_target = window.difference, window.history
        self._elements = window.context_length * inputs.shape[1]
        if warm_up is not None:
            steps = window.context_length - warm_up
            self._targets = self._targets.unfold(0, steps, 1).movedim(-1, 1)
            self._first_target = window.difference + warm_up + 1
            self._elements += steps * window.horizon * targets.shape[1]

    def __len__(self) -> int:
        return len(self._starts)

    def batches(
        self, size: int, order: Tensor | None = None, first: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs of (batch, context_length, features) and (batch, horizon, targets).

        With `warm_up` the second is (batch, context_length − warm_up, horizon, targets).
        `order` (windows,) permutes the windows; `first` batches are left out. The last batch holds
        what is left over.
        """
        together = size * max(1, _GATHERED // (size * self._elements))
        for begin in range(first * size, len(self), together):
            chosen = slice(begin, begin + together)
            starts = self._starts[chosen] if order is None else self._starts[order[chosen]]
            x = self._inputs[starts + self._first_input]
            y = self._targets[starts + self._first_target]
            yield from zip(torch.split(x, size), torch.split(y, size), strict=True)


def epoch_order(windows: int, seed: int, epoch: int, device: torch.device) -> Tensor:
    """The order of the windows in one epoch, (windows,) int64: `seed` and `epoch` decide alone."""
    mixed = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
    generator = torch.Generator().manual_seed(mixed)
    return torch.randperm(windows, generator=generator).to(device)
