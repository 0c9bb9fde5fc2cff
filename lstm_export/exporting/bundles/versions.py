"""What an export was made with."""

from __future__ import annotations

import platform

import onnx
import torch

import lstm_export


def versions() -> dict[str, str]:
    """The versions of everything that shapes a graph, by name."""
    return {
        "lstm_export": lstm_export.__version__,
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "python": platform.python_version(),
    }
