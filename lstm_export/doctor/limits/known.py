"""The terms of the tables: a construct, and what runtimes make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lstm_export.doctor.constructs import Construct
from lstm_export.doctor.finding import Consequence

TRIED: Mapping[str, str] = {
    "onnxruntime": "1.31.1",
    "onnxruntime-node": "1.30",
    "onnxruntime-web": "1.30",
    "openvino": "2026.4",
    "onnxruntime-openvino": "1.24",
    "opencv": "5.0",
    "tract": "0.23",
    "mnn": "3.6",
    "iree": "3.13",
    "reference": "onnx 1.23",
}
"""The runtimes that can be asked about, and the release on which each was tried. `reference` is
the onnx package's own ReferenceEvaluator, `onnxruntime-openvino` the execution provider."""

ONNXRUNTIMES = "onnxruntime onnxruntime-node onnxruntime-web"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `runtimes` (names separated by spaces) do."""

    consequence: Consequence
    runtimes: str
    detail: str
    since: tuple[int, ...] = ()
    """The release from which on it is right; empty if none is known."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One construct: where it occurs in a file, what avoids it, who does what with it."""

    construct: str
    occurs: Construct
    avoid: str
    outcomes: tuple[Outcome, ...]
