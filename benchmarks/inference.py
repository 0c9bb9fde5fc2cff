"""The speed table: the runtime beside torch, the stock exporter's graph and OpenVINO.

    python benchmarks/inference.py [--rows single,long] [--seconds 6]

Contenders take turns (`lstm_export/bench/interleave.py`); ratios are medians over neighbouring
turns with an interval of 95 % (`lstm_export/bench/statistics.py`), and a bound is reached when the
whole interval is on its good side. Torch is timed at one thread and at all, and the better counts.
Before anything is timed the answers are compared. Prints JSON on stdout, a line for each row on
stderr. What is not installed is named under `missing`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from inference_rows import cold, requests, sequences, streams, tuned
from inference_rows.row import OURS, Row

from lstm_export.bench.limit import cores, measured_peak

Measure = Callable[[Path, float], Iterator[Row]]


def _each(function: Any, name: str, configs: Any) -> Measure:
    def rows(folder: Path, seconds: float) -> Iterator[Row]:
        for config in configs:
            try:
                yield function(name, config, folder, seconds)
            except Exception as error:  # the other rows are worth having
                broken = f"{type(error).__name__}: {error}"
                yield Row(name, str(config), missing={OURS: " ".join(broken.split())})

    return rows


ROWS: dict[str, Measure] = {
    "single": _each(sequences.sequence_row, "single", sequences.SINGLE),
    "long": _each(sequences.sequence_row, "long", sequences.LONG),
    "wide": _each(sequences.sequence_row, "wide", sequences.WIDE),
    "bidirectional": _each(sequences.sequence_row, "bidirectional", sequences.TWO_DIRECTIONS),
    "batches": _each(sequences.sequence_row, "batches", sequences.BATCHES),
    "large": _each(sequences.sequence_row, "large", sequences.LARGE),
    "stream": _each(streams.stream_row, "stream", streams.STREAMS),
    "requests": _each(requests.requests_row, "requests", requests.REQUESTS),
    "ahead": _each(streams.ahead_row, "ahead", streams.AHEAD),
    "cold": _each(cold.cold_row, "cold", cold.COLD),
    "tuned": _each(tuned.tuned_row, "tuned", tuned.TUNED),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default=",".join(ROWS), help=", ".join(ROWS))
    parser.add_argument("--seconds", type=float, default=6.0, help="for each configuration")
    given = parser.parse_args()
    names = [name.strip() for name in given.rows.split(",")]
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"there is no row {unknown[0]!r}; the rows are {', '.join(ROWS)}")
    begin, results = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            for row in ROWS[name](Path(folder), given.seconds):
                results.append(row.to_dict())
                _show(results[-1])
    peak = measured_peak()
    document = {
        "rows": results,
        "reached": all(
            check["reached"] for row in results for check in row["checks"] or [{"reached": False}]
        ),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": cores(),
            "gflops_one_thread": round(peak.flops_one_thread / 1e9, 1),
            "gflops_all_threads": round(peak.flops_all_threads / 1e9, 1),
            "identity_run_microseconds": round(peak.call * 1e6, 2),
        },
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "onnxruntime": onnxruntime.__version__,
            "torch": torch.__version__,
        },
        "seconds": round(time.perf_counter() - begin, 1),
    }
    print(json.dumps(document, indent=2))


def _show(row: dict[str, Any]) -> None:
    lines = [f"{row['row']}: {row['config']}  ({row['rounds']} rounds)"]
    times = ", ".join(f"{name} {value:g}" for name, value in row["microseconds"].items())
    if row["floor_microseconds"] is not None:
        times += f"; limit {row['floor_microseconds']}, ours is {row['times_the_floor']} times that"
    lines += [f"    us: {times}"] if times else []
    lines += [f"    {key}: {value}" for key, value in row["facts"].items()]
    for check in row["checks"]:
        low, high = check["interval"]
        verdict = "reached" if check["reached"] else "NOT REACHED"
        lines.append(
            f"    {verdict}: {check['what']}: {check['value']} [{low}, {high}] {check['bound']}"
        )
    lines += [f"    missing: {what}: {why}" for what, why in row["missing"].items()]
    print("\n".join(lines), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
