"""The last gate before a bundle is written: its graphs load, and give the golden values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnxruntime

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.manifest import ParitySummary
from lstm_export.compare.result import TensorComparison
from lstm_export.compare.tensors import compare_outputs
from lstm_export.errors import ExportError


def check_golden(graphs: Mapping[str, bytes], cases: Iterable[GoldenCase]) -> ParitySummary:
    """Runs every case in onnxruntime under the parity rule.

    Raises ExportError with every output that is beyond it.
    """
    sessions = {name: _session(name, content) for name, content in graphs.items()}
    found: list[tuple[str, TensorComparison]] = []
    for case in cases:
        session = sessions[case.graph]
        names = [output.name for output in session.get_outputs()]
        got = dict(zip(names, session.run(names, dict(case.inputs)), strict=True))
        where = f"{case.graph} {case.name}"
        found += [(where, one) for one in compare_outputs(got, case.oracle, case.torch)]
    if failed := [f"{where}: {one.name}: {one.reason}" for where, one in found if not one.passed]:
        raise ExportError("the exported graphs do not give torch's numbers:\n" + "\n".join(failed))
    _, worst = max(found, key=lambda one: one[1].severity)
    assert worst.max_abs_error is not None
    assert worst.bound is not None
    return ParitySummary(
        passed=True,
        cases=len({case for case, _ in found}),
        worst_error=worst.max_abs_error,
        worst_bound=worst.bound,
        torch_error=worst.torch_max_abs_error or 0.0,
    )


def _session(name: str, content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ExportError(f"onnxruntime cannot load the exported {name}: {error}") from error
