"""Latency and cold start together, as the reports show them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.bench.cold_start import ColdStart, measure_cold_start
from lstm_export.bench.latency import Latency, measure_latency


@dataclass(frozen=True, slots=True)
class Timings:
    """Torch beside a bundle on this machine."""

    latency: Latency
    cold_start: ColdStart

    def to_dict(self) -> dict[str, Any]:
        """Plain values, seconds."""
        return asdict(self)


def measure(run: Path, bundle: Path, x: npt.NDArray[np.float32]) -> Timings:
    """Times the model of `run` in torch against `bundle` on `x` (batch, sequence_length, features).

    Takes some ten seconds, most of them the import of torch in fresh processes.
    """
    return Timings(measure_latency(run, bundle, x), measure_cold_start(run, bundle, x))
