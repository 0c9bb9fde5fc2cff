"""onnxruntime, opened with the settings that the deployed runtime uses."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy.typing as npt

from lstm_export.bundle.onnx_file import parse_onnx
from lstm_export.parity.runtimes.registry import Runner, Status, Subject, Tensors
from lstm_export.runtime.session import Session
from lstm_export.runtime.settings import ONE_THREAD_WORK, work_of


def status() -> Status:
    """onnxruntime comes with the package."""
    limits = ("aborts its process on a batch of 0 (1.31), which lstm_export.load refuses",)
    try:
        version = importlib.metadata.version("onnxruntime")
    except importlib.metadata.PackageNotFoundError:
        # onnxruntime-gpu and its like are imported by the same name.
        import onnxruntime

        version = onnxruntime.__version__
    return Status(True, version, limits=limits)


def open_graph(subject: Subject) -> Runner:
    """One session for every shape. Raises BundleError if onnxruntime refuses the graph."""
    where = str(subject.path)
    # External data is found only from a path.
    external = parse_onnx(subject.content, where).external_files
    model = where if external else subject.content
    terms = subject.contract.forecast or subject.contract.sequences
    small = terms is not None and work_of(terms.recurrent) <= ONE_THREAD_WORK
    session = Session(lambda: model, where, threads=1 if small else 0)
    return lambda inputs: _run(session, inputs)


def _run(session: Session, inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
    return dict(zip(session.outputs, session.run(inputs), strict=True))
