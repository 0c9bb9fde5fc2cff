"""One batch on several cores: its members shared out, gradients summed in a fixed order.

torch's own threads meet at a barrier in every time step and spin there; for recurrent layers that
gains little on a quiet machine, and on a busy one a step takes a hundred times as long. Whole
shards of a batch need no meeting before the end.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

import torch
from torch import Tensor

from lstm_export.contract import Recurrent
from lstm_export.nn.trainable import Trainable
from lstm_export.training.flat import FlatParameters
from lstm_export.training.options import TrainOptions

_WORTH_A_SHARD = 25_000_000
"""Multiplications in one forward pass: some five milliseconds of a step."""
_SMALLEST_SHARD = 8
"""Windows, or sequences."""


def shards_for(options: TrainOptions, steps: int, spec: Recurrent, device: torch.device) -> int:
    """How many shards a batch is worth on this machine's cores; one on a GPU.

    `steps` are those of a usual sequence. With dropout it is one: shards would draw from one
    generator in an order that is left to chance.
    """
    if options.dropout or device.type != "cpu":
        return 1
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[spec.cell]
    columns = spec.input_size + (spec.num_layers - 1) * spec.state_size * spec.num_directions
    columns += spec.num_layers * spec.state_size
    sequence = steps * spec.num_directions * gates * spec.hidden_size * columns
    worth = options.batch_size * sequence // _WORTH_A_SHARD
    smallest = options.batch_size // _SMALLEST_SHARD
    return max(1, min(torch.get_num_threads(), worth, smallest))


class Shards:
    """The loss of a model, and its gradient, on batches that are split into `count` shards.

    `values` and `gradients` are flat vectors over all parameters. To be used as a context, which
    ends its threads.
    """

    def __init__(
        self,
        model: Trainable,
        count: int,
        autocast: Callable[[], AbstractContextManager[object]] | None = None,
    ) -> None:
        first = FlatParameters(model)
        self._models = [model, *(copy.deepcopy(model) for _ in range(count - 1))]
        self._parameters = [first, *(FlatParameters(m, first.values) for m in self._models[1:])]
        self.values, self.gradients = first.values, first.gradients
        self._autocast = autocast or nullcontext
        # In a new thread torch would start with as many threads as there are cores.
        self._pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))

    def __enter__(self) -> Shards:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def train(self, mode: bool) -> None:
        """Puts every replica into training mode, or into eval mode."""
        for model in self._models:
            model.train(mode)

    def learn(self, *batch: Tensor) -> Tensor:
        """The loss of one batch, its gradient left in `gradients`.

        The first axis of every tensor is the batch.
        """
        if len(self._models) == 1:
            return self._backward(0, 1.0, batch)
        shards = self._split(batch)
        shares = [len(shard[0]) / len(batch[0]) for shard in shards]
        losses = list(self._pool.map(self._backward, range(len(shards)), shares, shards))
        for parameters in self._parameters[1 : len(losses)]:
            self.gradients.add_(parameters.gradients)
        return torch.stack(losses).sum()

    def judge(self, *batch: Tensor) -> Tensor:
        """The loss of one batch, without a gradient."""
        if len(self._models) == 1:
            return self._judge(0, batch)
        shards = self._split(batch)
        losses = self._pool.map(self._judge, range(len(shards)), shards)
        weighted = [loss * len(shard[0]) for loss, shard in zip(losses, shards, strict=True)]
        return torch.stack(weighted).sum() / len(batch[0])

    def _split(self, batch: tuple[Tensor, ...]) -> list[tuple[Tensor, ...]]:
        return list(zip(*(part.chunk(len(self._models)) for part in batch), strict=True))

    def _backward(self, shard: int, share: float, batch: tuple[Tensor, ...]) -> Tensor:
        self._parameters[shard].gradients.zero_()
        loss = self._loss(shard, batch)
        if share != 1.0:
            loss = loss * share
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _judge(self, shard: int, batch: tuple[Tensor, ...]) -> Tensor:
        with torch.no_grad():
            return self._loss(shard, batch)

    def _loss(self, shard: int, batch: tuple[Tensor, ...]) -> Tensor:
        with self._autocast():
            return self._models[shard].loss(*batch)
