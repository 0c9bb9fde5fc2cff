"""Many threads on one model, and a million steps of one stream: nothing mixed up, nothing leaked.

    python benchmarks/soak.py [BUNDLE] [--threads 16] [--calls 20000] [--steps 1000000]

Every thread calls the same loaded model with a mix of shapes, in an order of its own, and compares
each result with that of a single thread, bit for bit. Then one stream takes its steps, while the
process's memory is read from /proc. Prints JSON; exit code 1 if a result differs or memory grows.
Without BUNDLE, that of `artifacts/sunspots`.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.load import load_forecaster

SUNSPOTS = Path(__file__).resolve().parents[1] / "artifacts" / "sunspots" / "bundle"
SHAPES = [(1, 9), (1, 4), (3, 9), (1, 33), (16, 9), (2, 60), (64, 12), (5, 5)]
GROWTH_MB = 8.0
"""What the million steps may add: the interpreter's own fragments, not a leak of a byte a step."""


def inputs(model: ForecastModel) -> list[Any]:
    """Arrays of several shapes, ranks and dtypes, ragged lists among them."""
    width = len(model.terms.features)
    shortest = model.terms.window.shortest
    rng = np.random.default_rng(0)
    arrays: list[Any] = [
        rng.normal(size=(batch, length + shortest, width)).astype(np.float32)
        for batch, length in SHAPES
    ]
    arrays += [arrays[0][0], arrays[2].astype(np.float64), list(arrays[6][:9])]
    arrays.append([arrays[5][0], arrays[0][0], arrays[3][0], arrays[5][1]])
    return arrays


def hammer(model: ForecastModel, threads: int, calls: int) -> dict[str, Any]:
    """`threads` threads, `calls` calls each; how many results differ from a single thread's."""
    feeds = inputs(model)
    expected = [model(feed) for feed in feeds]
    wrong: list[str] = []
    begin = threading.Barrier(threads)

    def work(seed: int) -> None:
        order = np.random.default_rng(seed).integers(len(feeds), size=calls)
        begin.wait()
        try:
            wrong.extend(
                f"thread {seed}, input {i}"
                for i in order.tolist()
                if not np.array_equal(model(feeds[i]), expected[i])
            )
        except Exception as error:
            wrong.append(f"thread {seed}: {type(error).__name__}: {error}")

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - start
    return {
        "threads": threads,
        "calls": threads * calls,
        "different": len(wrong),
        "first_differences": wrong[:5],
        "calls_per_second": round(threads * calls / seconds),
    }


def stream(model: ForecastModel, steps: int) -> dict[str, Any]:
    """One stream for `steps` steps; resident memory after a tenth of them and at the end."""
    rows = np.random.default_rng(1).normal(size=(1000, len(model.terms.features)))
    rows = rows.astype(np.float32)
    opened = model.stream()
    readings = []
    start = time.perf_counter()
    for done in range(steps):
        if done % max(1, steps // 10) == 0:
            readings.append(resident_mb())
        opened.step(rows[done % 1000])
    seconds = time.perf_counter() - start
    readings.append(resident_mb())
    return {
        "steps": steps,
        "steps_per_second": round(steps / seconds),
        "resident_mb": [round(mb, 1) for mb in readings],
        "growth_mb": round(readings[-1] - readings[1], 2),
    }


def resident_mb() -> float:
    """The process's resident memory."""
    words = Path("/proc/self/status").read_text().split()
    return int(words[words.index("VmRSS:") + 1]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle", type=Path, nargs="?", default=SUNSPOTS)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=1_000_000)
    given = parser.parse_args()
    model = load_forecaster(given.bundle)
    found = {
        "threads": hammer(model, given.threads, given.calls),
        "stream": stream(model, given.steps),
    }
    print(json.dumps(found, indent=2))
    flat = found["stream"]["growth_mb"] <= GROWTH_MB
    return 0 if flat and not found["threads"]["different"] else 1


if __name__ == "__main__":
    sys.exit(main())
