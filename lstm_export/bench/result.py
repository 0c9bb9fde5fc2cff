"""What a measurement found, as data: for people a table, for machines JSON."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lstm_export.bench.field import OURS
from lstm_export.bench.limit import Peak
from lstm_export.bench.statistics import Estimate


@dataclass(frozen=True, slots=True)
class Timing:
    """One contender: seconds of a call, and how many times our own that is, pair by pair."""

    name: str
    seconds: Estimate
    ratio: Estimate | None
    """Its time ÷ ours over neighbouring turns; None for ours."""
    difference: float | None
    """How far its answer is from ours, relative to the largest value; None if it is another
    model."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One use of the model at one shape."""

    use: str
    batch: int
    length: int
    timings: tuple[Timing, ...]
    flops: float
    """Of the recurrent layers in one call."""
    missing: Mapping[str, str]

    @property
    def ours(self) -> Timing:
        return next(timing for timing in self.timings if timing.name == OURS)

    def times_the_floor(self, peak: Peak) -> float:
        """How far ours is from the physical limit."""
        return self.ours.seconds.value / peak.floor(self.flops)


@dataclass(frozen=True, slots=True)
class BenchResult:
    """Everything about one model on one machine."""

    path: str
    kind: str
    measurements: tuple[Measurement, ...]
    notes: tuple[str, ...]
    """What could not be measured, and answers that differ."""
    peak: Peak
    processor: str
    versions: Mapping[str, str | None]
    """None for what is not installed."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; times in seconds."""
        document = asdict(self)
        for one, plain in zip(self.measurements, document["measurements"], strict=True):
            plain["floor"] = self.peak.floor(one.flops)
            plain["times_the_floor"] = one.times_the_floor(self.peak)
        return document


def versions() -> dict[str, str | None]:
    """Releases of whoever could take part; None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in ("numpy", "onnxruntime", "torch", "onnx", "openvino"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
