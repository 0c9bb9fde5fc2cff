"""OpenVINO on the CPU as it comes: where the processor has bfloat16, it computes in that."""

from __future__ import annotations

from lstm_export.parity.runtimes import openvino
from lstm_export.parity.runtimes.interpreter import Package, open_package, package_status
from lstm_export.parity.runtimes.registry import Runner, Status, Subject

PACKAGE = Package(
    "openvino-default",
    ("openvino",),
    "pip install 'lstm-export[runtimes]'",
    limits=(
        "computes in bfloat16 where the processor has it (2026.4): errors of 5e-4 to 5e-3; "
        "INFERENCE_PRECISION_HINT=f32 keeps to float32",
        *openvino.LIMITS,
    ),
)


def status() -> Status:
    """Whether openvino is installed."""
    return package_status(PACKAGE)


def open_graph(subject: Subject) -> Runner:
    """One compiled model for every shape; raises what `open_package` raises."""
    return open_package(PACKAGE, subject)


def load(model: str) -> Runner:
    """The compiled model itself, in the worker."""
    return openvino.compiled(model, {})


reason = openvino.reason
