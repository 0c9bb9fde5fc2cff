"""onnxruntime, opened with the settings that the deployed runtime uses.

Alone it runs in this process, as in that of whoever deploys; among others it has one of its own.
"""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Any

import numpy.typing as npt

from lstm_export.bundle.onnx_file import parse_onnx, read_onnx
from lstm_export.contract import METADATA_KEY, Contract
from lstm_export.parity.runtimes.interpreter import WORKER
from lstm_export.parity.runtimes.isolated import Isolated
from lstm_export.parity.runtimes.registry import Runner, Status, Subject, Tensors
from lstm_export.runtime.session import Session
from lstm_export.runtime.settings import ONE_THREAD_WORK, work_of

NAME = "onnxruntime"


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
    return _session(where if external else subject.content, where, subject.contract)


def open_apart(subject: Subject) -> Runner:
    """The same in a process of its own, which may die; raises what `Isolated` raises."""
    command = [sys.executable, "-P", "-c", WORKER, NAME, str(subject.path.resolve())]
    return Isolated(NAME, command)


def load(model: str) -> Runner:
    """The session, in the worker; the contract is the one inside the file."""
    text = read_onnx(model).metadata_props.get(METADATA_KEY)
    return _session(model, model, None if text is None else Contract.from_json(text, model))


def _session(model: bytes | str, where: str, contract: Contract | None) -> Runner:
    terms = None if contract is None else contract.forecast or contract.sequences
    small = terms is not None and work_of(terms.recurrent) <= ONE_THREAD_WORK
    session = Session(lambda: model, where, threads=1 if small else 0)

    def run(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        return dict(zip(session.outputs, session.run(inputs), strict=True))

    return run
