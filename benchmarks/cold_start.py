"""What a bundle costs over bare onnxruntime: time to the first prediction, and memory.

    python benchmarks/cold_start.py [BUNDLE] [--starts N]

Both sides start in fresh processes that take turns. The baseline imports numpy and onnxruntime and
creates a session on the bundle's model.onnx, without running it; the runtime imports lstm_export,
loads the bundle (checksums and all) and predicts once. Prints JSON: seconds are counted inside the
process from its first line, so that the interpreter's own start does not flatter the ratio;
`ratio` is the median over pairs of neighbours, with an interval of 95 %, `ratio_of_medians` what
the name says.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from lstm_export.bench.statistics import median_estimate, paired_ratio

SUNSPOTS = Path(__file__).resolve().parent.parent / "artifacts" / "sunspots" / "bundle"

# Not resource.getrusage: its peak survives exec, so a large parent would be counted in.
_TAIL = """
seconds = time.perf_counter() - start
status = open("/proc/self/status").read().split()
print(seconds, int(status[status.index("VmHWM:") + 1]) / 1024)
"""
BASELINE = (
    """
import sys, time
start = time.perf_counter()
import numpy
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx")
"""
    + _TAIL
)
RUNTIME = (
    """
import sys, time
start = time.perf_counter()
import lstm_export
model = lstm_export.load(sys.argv[1])
window = model.contract.forecast.window
model([[0.0] * len(model.contract.forecast.features)] * window.history)
"""
    + _TAIL
)


def measure(bundle: Path, starts: int) -> dict[str, Any]:
    """Seconds and peak memory of both sides, over `starts` fresh processes each."""
    runs: dict[str, list[tuple[float, float]]] = {"baseline": [], "runtime": []}
    programs = {"baseline": BASELINE, "runtime": RUNTIME}
    for program in programs.values():  # the first start of each reads its files from disk
        _start(program, bundle)
    for turn in range(starts):
        # Who comes first alternates: a burst of load elsewhere hits both sides alike.
        for name in sorted(programs, reverse=bool(turn % 2)):
            runs[name].append(_start(programs[name], bundle))
    seconds = {name: [run[0] for run in of] for name, of in runs.items()}
    ratio = paired_ratio(seconds["runtime"], seconds["baseline"])
    memory = median_estimate([run[1] for run in runs["runtime"]])
    return {
        "starts": starts,
        "baseline_seconds": median(seconds["baseline"]),
        "runtime_seconds": median(seconds["runtime"]),
        "ratio": ratio.value,
        "ratio_interval": [ratio.low, ratio.high],
        "ratio_of_medians": median(seconds["runtime"]) / median(seconds["baseline"]),
        "ratio_of_minima": min(seconds["runtime"]) / min(seconds["baseline"]),
        "baseline_peak_rss_mb": median(run[1] for run in runs["baseline"]),
        "runtime_peak_rss_mb": memory.value,
        "runtime_peak_rss_mb_interval": [memory.low, memory.high],
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def _start(program: str, bundle: Path) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", program, str(bundle)], capture_output=True, text=True, check=True
    )
    seconds, memory = done.stdout.split()
    return float(seconds), float(memory)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle", type=Path, nargs="?", default=SUNSPOTS)
    parser.add_argument("--starts", type=int, default=15)
    given = parser.parse_args()
    print(json.dumps(measure(given.bundle, given.starts), indent=2))
