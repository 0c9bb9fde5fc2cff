"""onnxruntime as one would use it without this package: a session of default options, feeds in a
dict, all outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt
import onnxruntime

from lstm_export.errors import BundleError

_FATAL = 4
Feeds = Mapping[str, npt.NDArray[Any]]


def plain_runner(model: bytes | str, where: str, threads: int | None = None) -> Callable[..., Any]:
    """`InferenceSession.run` on feeds, with every option at its default but the log's.

    `model` is a file's bytes, or its path; `threads` sets intra_op_num_threads. Raises BundleError
    naming `where` if onnxruntime refuses it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        reason = " ".join(str(error).split())
        raise BundleError(f"{where}: onnxruntime refuses it: {reason}") from None

    def run(feeds: Feeds) -> Any:
        return session.run(None, feeds)

    return run
