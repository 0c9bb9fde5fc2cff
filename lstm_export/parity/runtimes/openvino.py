"""OpenVINO on the CPU, told to compute in float32."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from lstm_export.bundle.onnx_file import read_onnx
from lstm_export.parity.frames import Tensors
from lstm_export.parity.runtimes.interpreter import Package, open_package, package_status
from lstm_export.parity.runtimes.registry import Runner, Status, Subject

LIMITS = (
    "ignores sequence_lens (2026.4): shorter sequences are off by about 0.5",
    "ignores input_forget and peephole weights (2026.4): off by 0.1 to 0.2",
    "attention that once ran over a single key is wrong from then on (2026.4)",
    "a Scan whose body does not use what is scanned runs one step, or is refused (2026.4)",
)
FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}
PACKAGE = Package("openvino", ("openvino",), "pip install 'lstm-export[runtimes]'", limits=LIMITS)


def status() -> Status:
    """Whether openvino is installed."""
    return package_status(PACKAGE)


def open_graph(subject: Subject) -> Runner:
    """One compiled model for every shape; raises what `open_package` raises."""
    return open_package(PACKAGE, subject)


def load(model: str) -> Runner:
    """The compiled model itself, in the worker."""
    return compiled(model, FLOAT32)


def reason(text: str) -> str:
    """The line that says what is wrong; those that end in a colon say where OpenVINO noticed it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if not line.endswith(":")), lines[0] if lines else "")


def compiled(model: str, settings: dict[str, str]) -> Runner:
    """`model` compiled for the CPU with OpenVINO's own `settings`."""
    import openvino  # type: ignore[import-not-found,unused-ignore]

    names = [tensor.name for tensor in read_onnx(model).spec.outputs]
    core = openvino.Core()
    ready = core.compile_model(core.read_model(model), "CPU", settings)
    request = ready.create_infer_request()

    def run(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        answers = request.infer(dict(inputs))
        return {name: answers[name] for name in names}

    return run
