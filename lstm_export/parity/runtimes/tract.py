"""tract, in Rust, through its Python package; the axes that a file names become its symbols."""

from __future__ import annotations

import re
from typing import Any

import numpy.typing as npt

from lstm_export.bundle.onnx_file import read_onnx
from lstm_export.parity.frames import Tensors
from lstm_export.parity.runtimes.interpreter import Package, open_package, package_status
from lstm_export.parity.runtimes.registry import Runner, Status, Subject

PACKAGE = Package(
    "tract",
    ("tract",),
    "pip install 'lstm-export[runtimes]'",
    limits=(
        "gates saturate at 1 - 5e-7, not at 1 (0.23): what a state holds fades by that each step",
        "has only constant sequence_lens, and no Pad of computed sizes (0.23): refused when loaded",
        "an initial state left out with a dynamic batch ends the process (0.23)",
        "runs an operator's reverse direction forward (0.23): off by about 0.6",
    ),
)


def status() -> Status:
    """Whether tract's Python package is installed."""
    return package_status(PACKAGE)


def open_graph(subject: Subject) -> Runner:
    """One optimised model for every shape; raises what `open_package` raises."""
    return open_package(PACKAGE, subject)


def load(model: str) -> Runner:
    """The model itself, in the worker."""
    import tract  # type: ignore[import-not-found,unused-ignore]

    # tract calls an output after the node that gives it; the order is the file's.
    spec = read_onnx(model).spec
    fed, given = ([tensor.name for tensor in side] for side in (spec.inputs, spec.outputs))
    ready = tract.onnx().load(model).into_model().into_runnable()

    def run(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        answers = ready.run([inputs[name] for name in fed])
        return {name: answer.to_numpy() for name, answer in zip(given, answers, strict=True)}

    return run


def reason(text: str) -> str:
    """What tract was doing, and the innermost of the causes that it lists."""
    told, _, causes = text.partition("Stack backtrace")[0].partition("Caused by:")
    first = next((line.strip() for line in told.splitlines() if line.strip()), "")
    inner = [line.strip() for line in causes.splitlines() if line.strip()]
    return f"{first}: {re.sub(r'^[0-9]+: ', '', inner[-1])}" if inner else first
