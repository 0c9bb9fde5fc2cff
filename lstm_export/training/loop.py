"""The training loop: steps, validation, early stopping, and a state saved about once a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor

from lstm_export.errors import OptionError
from lstm_export.nn.trainable import Trainable
from lstm_export.training.batches import Batches, epoch_order
from lstm_export.training.flat import FusedAdam, average, clip
from lstm_export.training.interrupt import Interrupt
from lstm_export.training.options import TrainOptions
from lstm_export.training.progress import Progress, Status
from lstm_export.training.schedule import EpochRecord, best_epoch, learning_rate, stops
from lstm_export.training.shards import Shards
from lstm_export.training.state import (
    Circumstances,
    Position,
    TrainingState,
    random_state,
    restore_random_state,
)

_LOOK = 0.2
"""Seconds between two looks at the losses, which wait for the device."""
_SAVE = 1.0
"""Seconds between two saved states, at least."""
_SAVE_SHARE = 0.05
"""The largest share of the time that goes into saving states."""


class Loop:
    """Trains `model` in place, from `state` on.

    `record` is told every epoch as it ends, `save` gets the state to keep. Both are called in an
    order in which a kill between them loses nothing: first the record, then the state.
    `evaluation_batch` members are validated at once.

    What is validated and kept is the moving average of the weights, where options.ema is not 0.
    """

    def __init__(
        self,
        model: Trainable,
        train: Batches,
        validation: Batches,
        evaluation_batch: int,
        options: TrainOptions,
        circumstances: Circumstances,
        *,
        record: Callable[[EpochRecord], None],
        save: Callable[[TrainingState], None],
        autocast: Callable[[], AbstractContextManager[object]] | None = None,
        progress: Progress | None = None,
        state: TrainingState | None = None,
    ) -> None:
        position = state.position if state else Position(circumstances)
        self.history = list(position.history)
        self._step, self._steps = position.step, position.steps
        self._train, self._validation = train, validation
        self._evaluation_batch = evaluation_batch
        self._options, self._circumstances = options, circumstances
        self._record, self._save_state, self._progress = record, save, progress
        self._shards = Shards(model, circumstances.shards, autocast)
        self._weights, self._gradients = self._shards.values, self._shards.gradients
        self._device = self._weights.device
        self._adam = FusedAdam(self._weights, self._gradients, self._steps)
        self._average = self._weights.clone() if options.ema else self._weights
        self._best = self._weights.clone()
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=self._device)
        if state:
            for name, tensor in self._tensors().items():
                tensor.copy_(state.tensors[name])
            restore_random_state(state.tensors, self._device)
        self._interrupt = Interrupt()
        self.seconds = 0.0
        """How long the last `run` took."""
        self._begun, self._steps_before = time.monotonic(), self._steps
        self._next_look = self._next_save = 0.0

    def run(self) -> None:
        """Trains to the end and leaves the best weights in the model, in eval mode.

        Raises OptionError if the loss stops being a number (the last state saved is a good one),
        and KeyboardInterrupt, the state saved, if Ctrl-C was pressed.
        """
        now = time.monotonic()
        self._next_look, self._next_save = now + _LOOK, now + _SAVE
        with self._interrupt, self._shards:
            try:
                while not stops(self._options, self.history, self._steps):
                    self._epoch()
                self._save()
            finally:
                if self._progress:
                    self._progress.close()
        self._weights.copy_(self._best)
        self._shards.train(False)
        self.seconds = time.monotonic() - now

    def _epoch(self) -> None:
        options, learn, gradients = self._options, self._shards.learn, self._gradients
        lr = learning_rate(options, self.history)
        order = epoch_order(len(self._train), options.seed, len(self.history), self._device)
        batches = self._train.batches(options.batch_size, order, self._step)
        self._shards.train(True)
        clips = options.clip_norm or options.clip_value
        for x, *rest in batches:
            if options.max_steps and self._steps >= options.max_steps:
                break
            if options.input_noise:  # drawn for the whole batch: shards must not change it
                x = x.add(torch.randn_like(x), alpha=options.input_noise)
            loss = learn(x, *rest)
            if clips:
                clip(gradients, options.clip_norm, options.clip_value)
            self._adam.step(lr, options.weight_decay)
            # Waiting for the loss to be a Python number would cost more than adding it up.
            self._loss_sum.add_(loss, alpha=len(x))
            self._step += 1
            self._steps += 1
            if options.ema:
                average(self._average, self._weights, options.ema, self._steps)
            if time.monotonic() >= self._next_look or self._interrupt.requested:
                self._look()
        self._end_epoch(lr)

    def _end_epoch(self, lr: float) -> None:
        self._refuse_divergence()
        validation_loss = self._validate() if len(self._validation) else None
        if validation_loss is not None and not math.isfinite(validation_loss):
            raise self._diverged("validation")
        record = EpochRecord(len(self.history) + 1, self._mean_loss(), validation_loss, lr)
        self.history.append(record)
        if best_epoch(self.history) == len(self.history):
            self._best.copy_(self._average)
        self._record(record)
        self._step = 0
        self._loss_sum.zero_()
        if time.monotonic() >= self._next_save:
            self._save()

    def _validate(self) -> float:
        self._shards.train(False)
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        with self._averaged_weights():
            for batch in self._validation.batches(self._evaluation_batch):
                total.add_(self._shards.judge(*batch), alpha=len(batch[0]))
                if self._interrupt.requested:
                    break
        if self._interrupt.requested:
            self._stop()
        return float(total) / len(self._validation)

    @contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        """Within the block the model has the averaged weights."""
        if self._average is self._weights:
            yield
            return
        trained = self._weights.clone()
        self._weights.copy_(self._average)
        try:
            yield
        finally:
            self._weights.copy_(trained)

    def _look(self) -> None:
        """What need not be done at every step: talk, save, stop."""
        self._refuse_divergence()
        now = time.monotonic()
        if self._interrupt.requested:
            self._stop()
        if now >= self._next_save:
            self._save()
        if self._progress:
            self._progress.update(self._status(now))
        self._next_look = time.monotonic() + _LOOK

    def _stop(self) -> None:
        self._save()
        raise KeyboardInterrupt

    def _save(self) -> None:
        begin = time.monotonic()
        position = Position(self._circumstances, tuple(self.history), self._step, self._steps)
        tensors = {**self._tensors(), **random_state(self._device)}
        self._save_state(TrainingState(position, tensors))
        end = time.monotonic()
        self._next_save = end + max(_SAVE, (end - begin) / _SAVE_SHARE)

    def _tensors(self) -> dict[str, Tensor]:
        averaged = {} if self._average is self._weights else {"average": self._average}
        return {
            **averaged,
            "weights": self._weights,
            "best_weights": self._best,
            "first_moment": self._adam.first_moment,
            "second_moment": self._adam.second_moment,
            "loss_sum": self._loss_sum,
        }

    def _mean_loss(self) -> float:
        seen = min(self._step * self._options.batch_size, len(self._train))
        return float(self._loss_sum) / seen

    def _refuse_divergence(self) -> None:
        numbers = self._loss_sum + self._weights.sum(dtype=torch.float64)
        if not math.isfinite(float(numbers)):
            raise self._diverged("training")

    def _diverged(self, which: str) -> OptionError:
        options = self._options
        norm = f", or limit the gradients with --clip-norm (now {options.clip_norm:g})"
        return OptionError(
            f"training diverged: in epoch {len(self.history) + 1}, after {self._steps} steps, the "
            f"{which} loss or a weight is no longer a finite number. Lower --lr (now "
            f"{options.lr:g}){norm}, and train anew with --force"
        )

    def _status(self, now: float) -> Status:
        losses = [r.validation_loss for r in self.history if r.validation_loss is not None]
        return Status(
            epoch=len(self.history) + 1,
            epochs=self._options.epochs,
            step=self._step,
            steps_per_epoch=-(-len(self._train) // self._options.batch_size),
            train_loss=self._mean_loss(),
            validation_loss=losses[-1] if losses else None,
            best_loss=min(losses, default=None),
            steps_per_second=(self._steps - self._steps_before) / (now - self._begun),
        )
