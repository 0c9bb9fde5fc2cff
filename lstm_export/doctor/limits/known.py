"""The terms of the tables: a construct, and what runtimes make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lstm_export.doctor.constructs import Construct
from lstm_export.doctor.finding import Consequence
from lstm_export.doctor.limits.measured import measured

READ: Mapping[str, str] = {
    "tensorrt": "8.5",
    "triton": "2025",
    "matlab": "R2026a",
}
"""Runtimes that were never run here, and what their documentation was read for."""

TRIED: Mapping[str, str] = {
    **{
        name: version
        for name, version in measured().versions.items()
        if name not in ("oracle", "torch")
    },
    "mnn": "3.6",
    "iree": "3.13",
    **READ,
}
"""The runtimes that can be asked about, by the names of `verify --runtimes`, and a release: the one
that was measured, the one that was tried by hand, or the one that was read about."""

ONNXRUNTIMES = "onnxruntime onnxruntime-node onnxruntime-web chromium c"
OPENVINO = "openvino openvino-default"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `runtimes` (names separated by spaces) do."""

    consequence: Consequence
    runtimes: str
    detail: str
    since: tuple[int, ...] = ()
    """The release from which on it is right; empty if none is known."""
    source: str = ""
    """The address of the documentation, where it was only read."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One construct: where it occurs in a file, what avoids it, who does what with it."""

    construct: str
    occurs: Construct
    avoid: str
    outcomes: tuple[Outcome, ...]
