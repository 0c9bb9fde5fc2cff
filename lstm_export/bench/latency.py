"""Time per call of one window: torch in eager mode and the bundle, interleaved."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from lstm_export.checkpoint import read_checkpoint
from lstm_export.errors import MissingExtraError
from lstm_export.runtime.load import load

ROUNDS, CALLS = 12, 80
LONGEST_TURN = 0.1
"""Seconds; threads that wait for each other on a busy machine can be a thousand times slower."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Median seconds per call on the input shape (batch, sequence_length, features)."""

    torch: float
    torch_threads: int
    """The better of one thread and torch's own choice."""
    bundle: float
    shape: tuple[int, ...]
    calls: int


def measure_latency(
    run: Path, bundle: Path, x: npt.NDArray[np.float32], *, rounds: int = ROUNDS
) -> Latency:
    """Times the model of `run` in torch against `bundle`, both fed `x`.

    `x` is (batch, sequence_length, features) in raw units. The contenders take turns, so that
    whatever else the machine does disturbs all alike. Raises MissingExtraError without torch.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtraError("torch", "train", "timing torch") from None
    from lstm_export.nn.build import build

    module, tensor = build(read_checkpoint(run)), torch.from_numpy(np.ascontiguousarray(x))
    model = load(bundle)
    chosen = torch.get_num_threads()
    counts = sorted({1, chosen})
    times: dict[int, list[float]] = {threads: [] for threads in (0, *counts)}
    try:
        with torch.inference_mode():
            for _ in range(rounds):
                for threads in counts:
                    torch.set_num_threads(threads)
                    times[threads] += _turn(lambda: module(tensor))
                times[0] += _turn(lambda: model(x))
    finally:
        torch.set_num_threads(chosen)
    best = min(counts, key=lambda threads: median(times[threads]))
    return Latency(median(times[best]), best, median(times[0]), x.shape, len(times[0]))


def _turn(call: Callable[[], object]) -> list[float]:
    """Seconds of each call in one turn; the first quarter has warmed up and is left out."""
    seconds: list[float] = []
    begin = time.perf_counter()
    while len(seconds) < CALLS and (time.perf_counter() - begin < LONGEST_TURN or not seconds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds[len(seconds) // 4 :]
