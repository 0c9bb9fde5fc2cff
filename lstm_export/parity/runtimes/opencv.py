"""OpenCV's DNN module, in the engine that it takes by itself."""

from __future__ import annotations

import re
from typing import Any

import numpy.typing as npt

from lstm_export.bundle.onnx_file import read_onnx
from lstm_export.parity.frames import Tensors
from lstm_export.parity.runtimes.interpreter import Package, open_package, package_status
from lstm_export.parity.runtimes.registry import Runner, Status, Subject

_PLACE = re.compile(r"OpenCV\([\d.]+\) \S+:\d+: error: ")

PACKAGE = Package(
    "opencv",
    ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless"),
    "pip install 'lstm-export[runtimes]'",
    limits=(
        "an LSTM with sequence_lens is refused, a GRU with it wrong (5.0): off by about 0.2",
        "has no Scan and no RNN (5.0): the graph is refused when loaded",
        "a MatMul with a stored factor of three axes is wrong, or a crash (5.0)",
        "x / sqrt(2) in a GELU of Erf is a crash (5.0), and so was a fed state's Pad once",
    ),
)


def status() -> Status:
    """Whether OpenCV's Python package is installed."""
    return package_status(PACKAGE)


def open_graph(subject: Subject) -> Runner:
    """One net for every shape; raises what `open_package` raises."""
    return open_package(PACKAGE, subject)


def load(model: str) -> Runner:
    """The net itself, in the worker."""
    import cv2  # type: ignore[import-not-found,unused-ignore]

    names = [tensor.name for tensor in read_onnx(model).spec.outputs]
    net = cv2.dnn.readNetFromONNX(model)

    def run(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        for name, value in inputs.items():
            net.setInput(value, name)
        return dict(zip(names, net.forward(names), strict=True))

    return run


def reason(text: str) -> str:
    """What is wrong, without the places in OpenCV's source; of an unspecified error the detail."""
    lines = [_PLACE.sub("", line).strip("> ") for line in text.splitlines()]
    lines = [line for line in lines if line]
    return next((line for line in lines if not line.startswith("(-2:Unspecified")), "".join(lines))
