"""The last gate before a bundle is written: its graphs load, and give the golden values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnxruntime

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.manifest import ParitySummary
from lstm_export.compare.tensors import TensorComparison, compare
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
        for name, reference in case.oracle.items():
            result = compare(name, got.get(name), reference, case.torch[name])
            found.append((f"{case.graph} {case.name}", result))
    if failed := [f"{case}: {one.name}: {one.reason}" for case, one in found if not one.passed]:
        raise ExportError("the exported graphs do not give torch's numbers:\n" + "\n".join(failed))
    _, worst = max(found, key=lambda one: one[1].max_abs_error / max(one[1].bound, 1e-300))
    return ParitySummary(
        passed=True,
        cases=len({case for case, _ in found}),
        worst_error=float(worst.max_abs_error),
        worst_bound=float(worst.bound),
        torch_error=float(worst.torch_max_abs_error or 0.0),
    )


def _session(name: str, content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ExportError(f"onnxruntime cannot load the exported {name}: {error}") from error
