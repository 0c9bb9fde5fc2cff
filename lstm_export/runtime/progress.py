"""How far a long job has come: told to a callable, or counted on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from lstm_export.errors import OptionError

Progress: TypeAlias = Callable[[int], object] | Literal[True] | None
_EVERY = 0.1
"""Seconds between two lines on a terminal."""


class Counter:
    """Writes `N done` to stderr over and over on one line; nothing where that is no terminal."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._next = 0.0
        self._done = 0

    def __call__(self, done: int) -> None:
        """`done` items are done."""
        self._done = done
        if self._shows and (now := time.monotonic()) >= self._next:
            self._next = now + _EVERY
            sys.stderr.write(f"\r{done} done")
            sys.stderr.flush()

    def close(self) -> None:
        """The last count, and the end of its line."""
        if self._shows and self._done:
            sys.stderr.write(f"\r{self._done} done\n")
            sys.stderr.flush()


def checked_progress(progress: object) -> Callable[[int], object] | None:
    """What is to be called with the number done. Raises OptionError."""
    if progress is None or progress is False:
        return None
    if progress is True:
        return Counter()
    if callable(progress):
        return progress
    raise OptionError(f"progress must be True, None or a callable, got {progress!r}")
