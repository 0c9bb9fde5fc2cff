"""onnxruntime on an exported file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnxruntime

from lstm_export.contract import GraphSpec
from lstm_export.errors import ExportError

Arrays = dict[str, npt.NDArray[Any]]
_ERROR = 3


class Session:
    """An exported file, opened once and run at any shape, on one thread.

    Raises ExportError if onnxruntime refuses the file, or it has other inputs or outputs than
    `graph`.
    """

    def __init__(self, model: bytes | Path, graph: GraphSpec) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # What would be logged is judged here, by the numbers and the shapes themselves.
        options.log_severity_level = _ERROR
        source = model if isinstance(model, bytes) else str(model)
        try:
            self._session = onnxruntime.InferenceSession(
                source, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ExportError(f"onnxruntime cannot load the file: {_line(error)}") from None
        self.outputs = [value.name for value in self._session.get_outputs()]
        inputs = [value.name for value in self._session.get_inputs()]
        for what, expected, found in (
            ("inputs", [spec.name for spec in graph.inputs], inputs),
            ("outputs", [spec.name for spec in graph.outputs], self.outputs),
        ):
            if expected != found:
                raise ExportError(
                    f"expected the {what} {', '.join(expected)} in the exported file, "
                    f"got {', '.join(found) or 'none'}"
                )

    def run(self, feeds: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """All outputs by name. Raises ExportError with onnxruntime's reason."""
        try:
            values = self._session.run(self.outputs, dict(feeds))
        except Exception as error:
            raise ExportError(f"onnxruntime cannot run it: {_line(error)}") from None
        return dict(zip(self.outputs, values, strict=True))


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).removeprefix("[ONNXRuntimeError] : ")
