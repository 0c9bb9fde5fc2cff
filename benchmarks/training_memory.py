"""Peak memory of the first training steps on a long series: it grows with the series, not with
series × context.

    python benchmarks/training_memory.py [--rows 5000000] [--context 500] [--steps 50]

Writes a CSV to a temporary folder, trains on it in a process of its own, and prints JSON: the
peak resident memory, and what the windows would take as copies.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WANTED_MIB = 2048


def write_series(file: Path, rows: int) -> None:
    """A random walk of `rows` rows, written in blocks."""
    generator, level = np.random.default_rng(0), 0.0
    with file.open("w") as stream:
        stream.write("x\n")
        for begin in range(0, rows, 100_000):
            walk = level + np.cumsum(generator.normal(size=min(100_000, rows - begin)))
            level = float(walk[-1])
            stream.write("".join(f"{value:.4f}\n" for value in walk))


def worker(data: Path, run: Path, context: int, steps: int) -> None:
    import resource

    from lstm_export.training.options import TrainOptions
    from lstm_export.training.train import train

    options = TrainOptions(
        data=str(data),
        difference=1,
        context_length=context,
        hidden_size=8,
        max_steps=steps,
        # The last thousandths of the rows: the steps are what is measured, not the evaluation.
        validation=0.0005,
        test=0.0005,
    )
    begin = time.perf_counter()
    result = train(options, run)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    print(
        json.dumps(
            {
                "peak_rss_mib": round(peak),
                "seconds": round(time.perf_counter() - begin, 1),
                "windows": result.description.metrics["windows"],
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--context", type=int, default=500)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--worker", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        worker(*given.worker, given.context, given.steps)
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "series.csv"
        write_series(data, given.rows)
        command = [sys.executable, __file__, "--worker", str(data), str(Path(folder) / "run")]
        command += ["--context", str(given.context), "--steps", str(given.steps)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        result = json.loads(done.stdout)
    copies = result["windows"]["train"] * given.context * 4 / 2**20
    print(
        json.dumps(
            {
                "rows": given.rows,
                "context_length": given.context,
                "steps": given.steps,
                **result,
                "windows_as_copies_mib": round(copies),
                "wanted_mib": WANTED_MIB,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
