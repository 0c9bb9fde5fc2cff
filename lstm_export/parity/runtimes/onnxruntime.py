"""onnxruntime, opened with the settings that the deployed runtime uses."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from lstm_export.bundle.onnx_file import parse_onnx
from lstm_export.parity.runtimes.registry import Runner, Subject, Tensors
from lstm_export.runtime.session import Session, threads_for


def open_graph(subject: Subject) -> Runner:
    """One session for every shape. Raises BundleError if onnxruntime refuses the graph."""
    where = str(subject.path)
    # External data is found only from a path.
    external = parse_onnx(subject.content, where).external_files
    terms = subject.contract.forecast
    session = Session(
        where if external else subject.content,
        where,
        intra_op_num_threads=threads_for(terms.recurrent.hidden_size) if terms else None,
    )
    return lambda inputs: _run(session, inputs)


def _run(session: Session, inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
    return dict(zip(session.outputs, session.run(inputs), strict=True))
