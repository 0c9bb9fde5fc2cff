"""onnx's own ReferenceEvaluator: the operators' definitions, executed in NumPy."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from lstm_export.parity.frames import Tensors
from lstm_export.parity.runtimes.interpreter import Package, open_package, package_status
from lstm_export.parity.runtimes.registry import Runner, Status, Subject

PACKAGE = Package(
    "onnx-reference",
    ("onnx",),
    "pip install 'lstm-export[export]'",
    extra="export",
    limits=(
        "ignores sequence_lens (onnx 1.23): shorter sequences are off by about 0.5",
        "joins a Loop's steps instead of stacking them (onnx 1.23)",
        "has none of onnxruntime's own operators, DynamicQuantizeLSTM among them",
    ),
)


def status() -> Status:
    """Whether onnx is installed."""
    return package_status(PACKAGE)


def open_graph(subject: Subject) -> Runner:
    """One evaluator for every shape; raises what `open_package` raises."""
    return open_package(PACKAGE, subject)


def load(model: str) -> Runner:
    """The evaluator itself, in the worker."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(model)

    def run(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        return dict(zip(evaluator.output_names, evaluator.run(None, dict(inputs)), strict=True))

    return run
