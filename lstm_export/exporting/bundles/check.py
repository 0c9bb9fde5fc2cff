"""The last gate before a bundle is written: its graphs load, and give the golden values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnxruntime

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.manifest import ParitySummary
from lstm_export.compare.result import TensorComparison
from lstm_export.compare.tensors import compare_outputs
from lstm_export.errors import ExportError

ROOM = 0.5
"""The share of its bound that the error of a golden case should keep to, for other machines round
otherwise."""


def settle_golden(
    graphs: Mapping[str, bytes], candidates: Iterable[Iterable[GoldenCase]]
) -> tuple[list[GoldenCase], ParitySummary]:
    """The golden cases, run in onnxruntime under the parity rule, and the verdict on them.

    Of each case's candidates the first that leaves ROOM is taken, else the one nearest to it:
    where a model amplifies rounding, two correct runtimes differ, and nothing could be proved.
    Raises ExportError with every output that is beyond the rule for all candidates.
    """
    sessions = {name: _session(name, content) for name, content in graphs.items()}
    chosen: list[tuple[GoldenCase, tuple[TensorComparison, ...]]] = []
    for slot in candidates:
        tried = []
        for case in slot:
            tried.append((case, _compared(sessions[case.graph], case)))
            if _severity(tried[-1][1]) <= ROOM:
                break
        chosen.append(min(tried, key=lambda one: _severity(one[1])))
    failed = [
        f"{case.graph} {case.name}: {one.name}: {one.reason}"
        for case, results in chosen
        for one in results
        if not one.passed
    ]
    if failed:
        raise ExportError("the exported graphs do not give torch's numbers:\n" + "\n".join(failed))
    worst = max((one for _, results in chosen for one in results), key=lambda one: one.severity)
    assert worst.max_abs_error is not None
    assert worst.bound is not None
    summary = ParitySummary(
        passed=True,
        cases=len(chosen),
        worst_error=worst.max_abs_error,
        worst_bound=worst.bound,
        torch_error=worst.torch_max_abs_error or 0.0,
    )
    return [case for case, _ in chosen], summary


def _compared(
    session: onnxruntime.InferenceSession, case: GoldenCase
) -> tuple[TensorComparison, ...]:
    names = [output.name for output in session.get_outputs()]
    got = dict(zip(names, session.run(names, dict(case.inputs)), strict=True))
    return compare_outputs(got, case.oracle, case.torch)


def _severity(results: tuple[TensorComparison, ...]) -> float:
    return max(one.severity for one in results)


def _session(name: str, content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ExportError(f"onnxruntime cannot load the exported {name}: {error}") from error
