"""Time from the start of a fresh process to its first prediction: torch and the bundle."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

import lstm_export

_TORCH = """
import sys
from pathlib import Path
import numpy, torch
from lstm_export.checkpoint import read_checkpoint
from lstm_export.nn.build import build
module = build(read_checkpoint(Path(sys.argv[1])))
with torch.inference_mode():
    module(torch.from_numpy(numpy.load(sys.argv[2])))
print("predicted", flush=True)
"""
_BUNDLE = """
import sys
import numpy
import lstm_export
lstm_export.load(sys.argv[1])(numpy.load(sys.argv[2]))
print("predicted", flush=True)
"""


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Median seconds from starting Python to the first prediction, over `starts` starts each."""

    torch: float
    bundle: float
    starts: int


def measure_cold_start(
    run: Path, bundle: Path, x: npt.NDArray[np.float32], *, starts: int = 3
) -> ColdStart:
    """Starts fresh processes in turns; each loads its model and predicts `x` once.

    `x` is (batch, sequence_length, features). Raises RuntimeError with the process's own words if
    one fails.
    """
    torch_times, bundle_times = [], []
    with tempfile.TemporaryDirectory() as folder:
        feed = Path(folder, "x.npy")
        np.save(feed, x)
        for _ in range(starts):
            torch_times.append(_start(_TORCH, run, feed))
            bundle_times.append(_start(_BUNDLE, bundle, feed))
    return ColdStart(median(torch_times), median(bundle_times), starts)


def _start(program: str, model: Path, feed: Path) -> float:
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", program, str(model), str(feed)],
        env=child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - start
        _, words = process.communicate()
    if line.strip() != "predicted" or process.returncode:
        raise RuntimeError(f"a fresh process could not predict with {model}:\n{words}")
    return seconds


def child_environment() -> dict[str, str]:
    """The environment in which a child process imports this same package."""
    home = str(Path(lstm_export.__file__).parent.parent)
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
