"""onnxruntime-node: ONNX Runtime as Node.js has it, on the CPU."""

from __future__ import annotations

from lstm_export.parity.runtimes.nodejs import open_worker, package_status
from lstm_export.parity.runtimes.registry import Runner, Status, Subject

_PACKAGES = ("onnxruntime-node",)


def status() -> Status:
    """Whether Node.js and the package are there."""
    return package_status(*_PACKAGES)


def open_graph(subject: Subject) -> Runner:
    """One session in a Node.js of its own. Raises OptionError or RefusedError."""
    return open_worker("onnxruntime-node", _PACKAGES, "onnxruntime_node.mjs", subject)
