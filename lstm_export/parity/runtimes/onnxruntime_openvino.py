"""OpenVINO behind onnxruntime's interface: the execution provider of `onnxruntime-openvino`.

That package is imported as `onnxruntime` too, so the two exclude each other in one environment.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from lstm_export.parity.frames import Tensors
from lstm_export.parity.runtimes.interpreter import Package, open_package, package_status
from lstm_export.parity.runtimes.registry import Runner, Status, Subject

_PROVIDER = "OpenVINOExecutionProvider"
PACKAGE = Package(
    "onnxruntime-openvino",
    ("onnxruntime-openvino",),
    "pip install onnxruntime-openvino in an environment of its own, "
    ".venv-runtimes-onnxruntime-openvino",
    limits=(
        "ignores sequence_lens (1.24): shorter sequences are off by about 0.5",
        "attention that once ran over a single key is wrong from then on (1.24)",
        "is not the package onnxruntime, and cannot share an environment with it",
    ),
)


def status() -> Status:
    """Whether an environment has onnxruntime-openvino."""
    return package_status(PACKAGE)


def open_graph(subject: Subject) -> Runner:
    """One session for every shape; raises what `open_package` raises."""
    return open_package(PACKAGE, subject)


def load(model: str) -> Runner:
    """The session itself, in the worker. Raises RuntimeError where another provider would run."""
    import onnxruntime

    options = {"device_type": "CPU", "precision": "FP32"}
    session = onnxruntime.InferenceSession(model, providers=[_PROVIDER], provider_options=[options])
    # Where the provider cannot be had, onnxruntime takes its own without an error.
    if session.get_providers()[0] != _PROVIDER:
        raise RuntimeError(f"{_PROVIDER} was not taken, but {session.get_providers()}")
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return run
