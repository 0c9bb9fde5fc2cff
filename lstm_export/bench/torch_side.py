"""Torch in eager mode as a contender, with one thread and with all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

from lstm_export.bench.interleave import Contender
from lstm_export.bench.limit import cores


def inference(call: Callable[[], object]) -> Callable[[], object]:
    """`call` in inference mode."""
    import torch

    def run() -> object:
        with torch.inference_mode():
            return call()

    return run


def thread_counts() -> tuple[int, ...]:
    """One, and as many as there are cores: which is better depends on the model."""
    return tuple(dict.fromkeys((1, cores())))


def torch_contenders(name: str, call: Callable[[], object]) -> list[Contender]:
    """`call` in inference mode, at one thread and at as many as there are cores."""
    import torch

    return [
        Contender(
            f"{name}, {threads} thread{'s' if threads > 1 else ''}",
            inference(call),
            partial(torch.set_num_threads, threads),
        )
        for threads in thread_counts()
    ]


@contextlib.contextmanager
def threads_kept() -> Iterator[None]:
    """Torch's number of threads is the same after the block as before it."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
