"""One batch as several runs side by side, each of some of its rows."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor

T = TypeVar("T")


def side_by_side(run: Callable[[slice], T], rows: int, shards: int) -> Sequence[T]:
    """`run` on `shards` even pieces of `rows` rows at the same time; the results in order.

    The calling thread takes the first piece. What a piece raises is raised once all are done.
    """
    cuts = [rows * i // shards for i in range(shards + 1)]
    pieces = [slice(a, b) for a, b in pairwise(cuts) if b > a]
    others = [workers().submit(run, piece) for piece in pieces[1:]]
    try:
        first = run(pieces[0])
    finally:
        # Nobody may still be reading the caller's arrays once this has returned.
        for other in others:
            other.exception()
    return [first, *(other.result() for other in others)]


_lock = threading.Lock()
_executor: Executor | None = None


def workers() -> Executor:
    """The threads that all models share."""
    global _executor
    if _executor is None:
        with _lock:
            if _executor is None:
                from concurrent.futures import ThreadPoolExecutor

                _executor = ThreadPoolExecutor(os.cpu_count(), "lstm-export")
    return _executor


def _in_child() -> None:
    global _executor, _lock
    # The parent's threads are not here; its lock may have been held by one of them.
    _executor, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
