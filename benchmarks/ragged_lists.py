"""Lists of sequences of many lengths: cut by length, one by one, and as one padded batch.

    python benchmarks/ragged_lists.py [--seconds 4] [--count 512]

The answers are compared first; then the ways take turns (`lstm_export/bench/interleave.py`), all
with the same number of cores. Times are microseconds for one sequence, ratios medians over
neighbouring turns with their interval of 95 %. `padding` is the share of steps that are padding.
Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from inference_rows.models import Config, forecaster_bundle

import lstm_export
from lstm_export.bench.interleave import Contender, take_turns
from lstm_export.bench.statistics import paired_ratio
from lstm_export.runtime.buckets import cut
from lstm_export.runtime.forecast_model import ForecastModel

CONFIGS = (
    Config(1, 20, 1, 1, 30),
    Config(1, 50, 2, 1, 100),
    Config(8, 128, 2, 1, 100),
    Config(8, 64, 1, 1, 100, bidirectional=True),
)
DRAWS = {
    "uniform": lambda rng, longest, count: rng.integers(1, longest + 1, count),
    "mostly short": lambda rng, longest, count: (
        1 + np.minimum(rng.exponential(longest / 8, count), longest - 1).astype(int)
    ),
    "equal": lambda rng, longest, count: np.full(count, longest),
}


def measure(config: Config, draw: str, count: int, folder: Path, seconds: float) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    longest = config.length
    lengths = DRAWS[draw](rng, longest, count).tolist()
    items = [rng.normal(size=(n, config.input_size)).astype(np.float32) for n in lengths]
    padded = np.zeros((count, max(lengths), config.input_size), np.float32)
    for row, item in zip(padded, items, strict=True):
        row[: len(item)] = item
    path, _ = forecaster_bundle(config, folder)
    model = lstm_export.load(path, settings="rule")
    single = lstm_export.load(path, intra_op_num_threads=1)
    assert isinstance(model, ForecastModel)
    few = items[:: max(1, count // 16)]

    def one_by_one() -> None:
        for item in few:
            single(item)

    expected = np.stack([single(item) for item in items])
    answers = (model(items), model(padded, lengths=lengths), np.stack(list(model.map(items))))
    for answer in answers:
        np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-5)
    ours, big, alone = "a list", "one padded batch", "one by one, 1 thread"
    contenders = [
        Contender(ours, lambda: model(items), work=count),
        Contender("map", lambda: list(model.map(items)), work=count),
        # All rows as long as the longest: what padding costs where nobody looks at the lengths.
        Contender(big, lambda: model(padded), work=count),
        Contender(alone, one_by_one, work=len(few)),
    ]
    times = dict(take_turns(contenders, seconds=seconds))
    rows = model._rows()
    buckets = cut(lengths, work=rows.graphs.work, width=rows.width, pads=rows.pads)
    steps = sum(bucket.length * len(bucket.positions) for bucket in buckets)
    return {
        "config": str(config),
        "lengths": draw,
        "count": count,
        "microseconds": {name: round(median(of) * 1e6, 2) for name, of in times.items()},
        "ratios": {
            f"{name} / {ours}": _ratio(times[name], times[ours]) for name in (big, alone, "map")
        },
        "padding": round(1 - sum(lengths) / steps, 3),
        "padding of one batch": round(1 - sum(lengths) / (count * max(lengths)), 3),
    }


def _ratio(slower: Any, faster: Any) -> list[float]:
    estimate = paired_ratio(slower, faster)
    return [round(value, 2) for value in (estimate.low, estimate.value, estimate.high)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--count", type=int, default=512)
    given = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for config in CONFIGS:
            for draw in DRAWS:
                row = measure(config, draw, given.count, Path(folder), given.seconds)
                print(row, file=sys.stderr)
                results.append(row)
    print(json.dumps({"results": results}, indent=2))


if __name__ == "__main__":
    main()
