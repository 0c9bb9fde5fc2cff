"""Torch in eager mode as a contender, with one thread and with all of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial

from lstm_export.bench.interleave import Clock, Contender
from lstm_export.bench.limit import cores

HOPELESS = 10.0
"""Times slower than the better number of threads, in the best of a few calls."""
_TRIALS, _TRIAL_SECONDS = (3, 12), 0.5


@contextlib.contextmanager
def inference() -> Iterator[None]:
    """Inference mode, entered once and not at every call, which would count as torch's time.

    Torch's number of threads is the same after the block as before it.
    """
    import torch

    before = torch.get_num_threads()
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


def thread_counts() -> tuple[int, ...]:
    """One, and as many as there are cores: which is better depends on the model."""
    return tuple(dict.fromkeys((1, cores())))


def torch_contenders(
    name: str, call: Callable[[], object], *, clock: Clock = time.perf_counter
) -> tuple[list[Contender], dict[str, str]]:
    """`call` at one thread and at as many as there are cores, to be timed within `inference`.

    A number of threads that is hopeless is left out, lest it take the time of all others: threads
    that wait for one another on a busy machine can be a thousand times slower. The second result
    names it and says why.
    """
    import torch

    best: dict[int, float] = {}
    with inference():
        for threads in thread_counts():
            torch.set_num_threads(threads)
            call()
            best[threads] = _shortest(call, clock)
    fastest = min(best, key=lambda threads: best[threads])
    contenders, left_out = [], {}
    for threads, seconds in best.items():
        label = f"{name}, {_threads(threads)}"
        times = seconds / best[fastest]
        if times > HOPELESS:
            left_out[label] = f"{times:.0f} times slower than with {_threads(fastest)}"
        else:
            contenders.append(Contender(label, call, partial(torch.set_num_threads, threads)))
    return contenders, left_out


def _shortest(run: Callable[[], object], clock: Clock) -> float:
    start, seconds = clock(), list[float]()
    fewest, most = _TRIALS
    while len(seconds) < fewest or (len(seconds) < most and clock() - start < _TRIAL_SECONDS):
        begin = clock()
        run()
        seconds.append(clock() - begin)
    return min(seconds)


def _threads(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"
