"""How a run tells what it does: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

_BETWEEN_LINES = 5.0
"""Seconds between two plain lines."""


@dataclass(frozen=True, slots=True)
class Status:
    """Where a run stands. Losses are in scaled units."""

    epoch: int
    epochs: int
    step: int
    steps_per_epoch: int
    train_loss: float
    validation_loss: float | None
    """Of the epoch before."""
    best_loss: float | None
    steps_per_second: float

    @property
    def done(self) -> int:
        return (self.epoch - 1) * self.steps_per_epoch + self.step

    @property
    def total(self) -> int:
        return self.epochs * self.steps_per_epoch

    @property
    def seconds_left(self) -> float:
        """At the present rate, if nothing stops the run early."""
        return (self.total - self.done) / max(self.steps_per_second, 1e-9)

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch}/{self.epochs}  train {self.train_loss:.4g}  "
            f"validation {_loss(self.validation_loss)} (best {_loss(self.best_loss)})  "
            f"{self.steps_per_second:.0f} steps/s  at most {_duration(self.seconds_left)} left"
        )


class Progress(Protocol):
    """Hears of a run several times a second, and once when its loop ends."""

    def update(self, status: Status) -> None: ...

    def close(self) -> None: ...


class PlainProgress:
    """A line every few seconds, and one at the end, through `say`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._next = time.monotonic() + _BETWEEN_LINES
        self._unsaid: Status | None = None

    def update(self, status: Status) -> None:
        self._unsaid = status
        if time.monotonic() >= self._next:
            self.close()
            self._next = time.monotonic() + _BETWEEN_LINES

    def close(self) -> None:
        if self._unsaid:
            self._say(str(self._unsaid))
        self._unsaid = None


class BarProgress:
    """A bar with epoch, losses, rate and time left, redrawn in place."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self._bar: Bar = Bar(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[talk]}"),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("train", total=None, epoch="", talk="")

    def update(self, status: Status) -> None:
        self._bar.start()
        self._bar.update(
            self._task,
            total=status.total,
            completed=status.done,
            epoch=f"{status.epoch}/{status.epochs}",
            talk=(
                f"train {status.train_loss:.4g}  validation {_loss(status.validation_loss)}  "
                f"{status.steps_per_second:.0f} steps/s  {_duration(status.seconds_left)}"
            ),
        )

    def close(self) -> None:
        self._bar.stop()


def _loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
