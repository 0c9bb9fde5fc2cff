"""One batch on several cores: windows shared out, gradients summed in a fixed order.

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
from torch.nn.functional import mse_loss

from lstm_export.nn.forecaster import Forecaster
from lstm_export.training.flat import FlatParameters
from lstm_export.training.options import TrainOptions

_WORTH_A_SHARD = 25_000_000
"""Multiplications in one forward pass: some five milliseconds of a step."""
_SMALLEST_SHARD = 8
"""Windows."""
_LAST_STEP = 3
"""Dimensions of targets that follow a window's last step alone."""


def shards_for(options: TrainOptions, input_size: int, device: torch.device) -> int:
    """How many shards a batch is worth on this machine's cores; one on a GPU.

    With dropout it is one: shards would draw from one generator in an order that is left to chance.
    """
    if options.dropout or device.type != "cpu":
        return 1
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[options.cell]
    directions = 2 if options.bidirectional else 1
    state = options.proj_size or options.hidden_size
    columns = input_size + (options.num_layers - 1) * state * directions
    columns += options.num_layers * state
    window = options.context_length * directions * gates * options.hidden_size * columns
    worth = options.batch_size * window // _WORTH_A_SHARD
    smallest = options.batch_size // _SMALLEST_SHARD
    return max(1, min(torch.get_num_threads(), worth, smallest))


class Shards:
    """The loss of a model, and its gradient, on batches that are split into `count` shards.

    `values` and `gradients` are flat vectors over all parameters. To be used as a context, which
    ends its threads.
    """

    def __init__(
        self,
        model: Forecaster,
        count: int,
        autocast: Callable[[], AbstractContextManager[object]] | None = None,
    ) -> None:
        first = FlatParameters(model)
        self._models = [model, *(copy.deepcopy(model) for _ in range(count - 1))]
        self._parameters = [first, *(FlatParameters(m, first.values) for m in self._models[1:])]
        self.values, self.gradients = first.values, first.gradients
        self._autocast = autocast or nullcontext
        self._mixed = autocast is not None
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

    def learn(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean squared error of one batch, its gradient left in `gradients`.

        x is (batch, context_length, features), y (batch, horizon, targets) after the last step, or
        (batch, steps, horizon, targets) after each of the last `steps`; all scaled.
        """
        if len(self._models) == 1:
            return self._backward(0, x, y, 1.0)
        x_shards, y_shards = x.chunk(len(self._models)), y.chunk(len(self._models))
        shares = [len(shard) / len(x) for shard in x_shards]
        done = self._pool.map(self._backward, range(len(shares)), x_shards, y_shards, shares)
        losses = list(done)
        for parameters in self._parameters[1 : len(losses)]:
            self.gradients.add_(parameters.gradients)
        return torch.stack(losses).sum()

    def judge(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean squared error of one batch, without a gradient."""
        if len(self._models) == 1:
            return self._judge(0, x, y)
        x_shards, y_shards = x.chunk(len(self._models)), y.chunk(len(self._models))
        losses = self._pool.map(self._judge, range(len(x_shards)), x_shards, y_shards)
        weighted = [loss * len(shard) for loss, shard in zip(losses, x_shards, strict=True)]
        return torch.stack(weighted).sum() / len(x)

    def _backward(self, shard: int, x: Tensor, y: Tensor, share: float) -> Tensor:
        self._parameters[shard].gradients.zero_()
        loss = self._loss(shard, x, y)
        if share != 1.0:
            loss = loss * share
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _judge(self, shard: int, x: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad():
            return self._loss(shard, x, y)

    def _loss(self, shard: int, x: Tensor, y: Tensor) -> Tensor:
        if not self._mixed:
            return mse_loss(self._predict(shard, x, y), y)
        with self._autocast():
            predicted = self._predict(shard, x, y)
        return mse_loss(predicted.float(), y)

    def _predict(self, shard: int, x: Tensor, y: Tensor) -> Tensor:
        model = self._models[shard]
        return model.scaled(x) if y.dim() == _LAST_STEP else model.scaled_steps(x, y.shape[1])
