"""Many runs on the cores: each core takes the next one as soon as it is free."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from lstm_export.runtime.session import CPU
from lstm_export.runtime.settings import Plan
from lstm_export.runtime.shards import workers

if TYPE_CHECKING:
    from lstm_export.runtime.graphs import Graphs

T = TypeVar("T")
LANE_WORK = 2_000_000
"""Multiplications from which a second thread pays: it starts within some 30 µs."""


def lanes_for(graphs: Graphs, rows: int, steps: int) -> int:
    """How many runs go side by side for `rows` sequences of `steps` steps in all.

    One where the caller has set the threads of a run, or another provider than the CPU's, which
    has threads of its own; else as many as `shards` says, or as there are cores.
    """
    settings = graphs.settings_for(rows, max(1, steps // rows))
    if settings.shards is not None:
        return min(settings.shards, rows)
    alone = settings.intra_op_num_threads is not None or graphs.providers != (CPU,)
    if alone or steps * graphs.work < LANE_WORK:
        return 1
    return min(graphs.cores, rows)


def plan_of(graphs: Graphs, lanes: int, rows: int, length: int) -> Plan:
    """How one of the runs is run: alone as any call, side by side on one thread each."""
    if lanes == 1:
        return graphs.plan(rows, length)
    settings = graphs.settings_for(rows, length)
    return Plan(settings.intra_op_num_threads or 1, settings.spinning is not False, 1)


def spread(run: Callable[[T], None], tasks: Iterable[T], lanes: int) -> None:
    """`run` on each of `tasks`, none of them None, `lanes` at a time, one in the calling thread.

    The first error ends it: what has begun is waited for, what has not is left out.
    """
    if lanes == 1:
        for task in tasks:
            run(task)
        return
    waiting, lock = iter(tasks), threading.Lock()
    ended = False

    def lane() -> None:
        nonlocal ended
        try:
            while not ended:
                with lock:
                    task = next(waiting, None)
                if task is None:
                    return
                run(task)
        finally:
            ended = True

    others = [workers().submit(lane) for _ in range(lanes - 1)]
    try:
        lane()
    finally:
        # Nobody may still be reading the caller's arrays once this has returned.
        begun = [other for other in others if not other.cancel()]
        for other in begun:
            other.exception()
    for other in begun:
        other.result()
