"""A fresh process up to its first prediction, beside one that only opens a session."""

from __future__ import annotations

from pathlib import Path

import cold_start

from inference_rows.models import Config, forecaster_bundle
from inference_rows.row import Row
from lstm_export.bench.statistics import Estimate

COLD = (Config(1, 50, 2, 1, 100),)
_SECONDS_PER_PAIR = 0.8


def cold_row(name: str, config: Config, folder: Path, seconds: float) -> Row:
    """As `benchmarks/cold_start.py`, twice as long as other rows: every start is a process."""
    path, _ = forecaster_bundle(config, folder)
    starts = max(8, round(2 * seconds / _SECONDS_PER_PAIR))
    found = cold_start.measure(path, starts)
    row = Row(name, f"{config.sizes.replace('-', ',')} in a fresh process", facts=found)
    for what, key, bound in (
        ("first prediction / import + session", "ratio", 1.15),
        ("peak RSS, MB", "runtime_peak_rss_mb", 60.0),
    ):
        estimate = Estimate(found[key], *found[f"{key}_interval"], 0.95, starts)
        row.below(what, estimate, bound)
    return row
