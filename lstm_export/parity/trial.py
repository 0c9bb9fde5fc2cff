"""One question to a runtime, with the answers to judge it by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.compare.result import TensorComparison
from lstm_export.compare.rounding import rejudged
from lstm_export.compare.tensors import compare_outputs
from lstm_export.contract import SEQUENCE_LENGTH, GraphSpec
from lstm_export.parity.cases import CaseComparison, CaseError, Check
from lstm_export.parity.features import FEATURES, Feature, features
from lstm_export.parity.report import Failure
from lstm_export.parity.rounding import KeptAnswers, MovedWeights
from lstm_export.parity.runtimes.registry import Runner, Tensors, UnansweredError

_EXTREME = {"tiny", "large"}
"""Scales, as `compare.raw_rows` has them and cases are named."""
_NAMED = 3
"""Cases that a sentence names before it counts the others."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Inputs, the reference's outputs in float64, and torch's in float32 where there are any."""

    check: Check
    graph: str
    case: str
    inputs: Tensors
    reference: Tensors
    torch: Tensors | None
    chunks: tuple[int, ...] = ()
    """Lengths to cut the sequence into, state carried from one to the next; empty: one run."""
    moved: MovedWeights | KeptAnswers | None = None
    """Measures torch's own error more closely, where its one run leaves an output out of bounds."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Fixed tolerances, or none: then the parity rule holds."""

    atol: float | None = None
    rtol: float | None = None


def judge(
    trial: Trial, runtime: str, runner: Runner, spec: GraphSpec, tolerance: Tolerance
) -> tuple[list[CaseComparison], list[CaseError]]:
    """Runs one trial and compares every output. What the runtime raises is recorded, not raised."""
    place = (trial.check, runtime, trial.graph, trial.case)
    shown = asked(trial, spec)
    try:
        if trial.chunks:
            got = run_in_chunks(runner, spec, trial.inputs, trial.chunks)
        else:
            got = runner(trial.inputs)
    except UnansweredError as error:
        return [], [CaseError(*place, error.message, error.kind, shown)]
    except Exception as error:
        return [], [CaseError(*place, f"{type(error).__name__}: {error}", features=shown)]
    results = compare_outputs(
        got, trial.reference, trial.torch, atol=tolerance.atol, rtol=tolerance.rtol
    )
    better: dict[str, TensorComparison] = {}
    if trial.moved is not None and tolerance == Tolerance():
        answers = trial.moved.answers(trial.inputs)
        better = rejudged(results, got, trial.reference, answers)
    return [
        CaseComparison(*place, _finite(better.get(one.name, one)), one.name in better, shown)
        for one in results
    ], []


def asked(trial: Trial, spec: GraphSpec) -> tuple[Feature, ...]:
    """What the trial puts to the test."""
    found = features(trial.inputs, spec, chunked=bool(trial.chunks))
    # What is extreme in units of the training data may be small in the table's own.
    if not trial.chunks and _EXTREME & set(trial.case.split("-")):
        found = tuple(one for one in FEATURES if one in {*found, "extreme scales"})
    return found


def run_in_chunks(
    runner: Runner, spec: GraphSpec, inputs: Tensors, chunks: Iterable[int]
) -> dict[str, npt.NDArray[Any]]:
    """One sequence fed piece by piece; every `final_*` goes in again as the next `initial_*`.

    Outputs that have a sequence_length are joined, the others are the last piece's.
    """
    along = {
        tensor.name: tensor.axes.index(SEQUENCE_LENGTH)
        for tensor in (*spec.inputs, *spec.outputs)
        if SEQUENCE_LENGTH in tensor.axes
    }
    fed = dict(inputs)
    pieces: list[dict[str, npt.NDArray[Any]]] = []
    start = 0
    for length in chunks:
        for tensor in spec.inputs:
            if tensor.name in along:
                steps = np.arange(start, start + length)
                fed[tensor.name] = inputs[tensor.name].take(steps, axis=along[tensor.name])
        got = runner(fed)
        pieces.append(got)
        fed |= {
            name.replace("final_", "initial_", 1): value
            for name, value in got.items()
            if name.startswith("final_")
        }
        start += length
    return {
        name: np.concatenate([p[name] for p in pieces], axis=along[name]) if name in along else last
        for name, last in pieces[-1].items()
    }


def sum_up(comparisons: Iterable[CaseComparison], errors: Iterable[CaseError]) -> list[Failure]:
    """One sentence per check, runtime, graph and output that failed in any case."""
    failures = []
    raised: dict[tuple[Check, str, str, bool], list[CaseError]] = {}
    for error in errors:
        key = (error.check, error.runtime, error.graph, error.kind == "not asked")
        raised.setdefault(key, []).append(error)
    for (check, runtime, graph, unasked), group in raised.items():
        were = f"{check} case was" if len(group) == 1 else f"{check} cases were"
        became, first = ("asked any more", ": ") if unasked else ("answered", "; the first: ")
        message = (
            f"{graph} in {runtime}: {len(group)} {were} not {became} "
            f"({_names([e.case for e in group])}){first if len(group) > 1 else ': '}"
            f"{group[0].message}"
        )
        failures.append(Failure("runtime", message))
    judged: dict[tuple[Check, str, str, str], list[CaseComparison]] = {}
    for one in comparisons:
        place = (one.check, one.runtime, one.graph, one.comparison.name)
        judged.setdefault(place, []).append(one)
    for (check, runtime, graph, output), cases in judged.items():
        failed = [one for one in cases if not one.comparison.passed]
        if failed:
            worst = max(failed, key=lambda one: one.comparison.severity)
            message = (
                f"{graph} in {runtime}, output {output}: {len(failed)} of {len(cases)} cases "
                f"disagree ({_names([one.case for one in failed])}); the worst, {worst.case}: "
                f"{worst.comparison.reason}"
            )
            failures.append(Failure(check, message))
    return failures


def shapes(trials: Iterable[Trial], spec: GraphSpec) -> Mapping[str, set[int]]:
    """The sizes that each named axis of the inputs takes over `trials`."""
    sizes: dict[str, set[int]] = {}
    for trial in trials:
        for tensor in spec.inputs:
            value = trial.inputs.get(tensor.name)
            if value is not None and value.ndim == len(tensor.axes):
                for axis, size in zip(tensor.axes, value.shape, strict=True):
                    if isinstance(axis, str):
                        sizes.setdefault(axis, set()).add(size)
    return sizes


def _finite(result: TensorComparison) -> TensorComparison:
    # The inputs are finite and moderate. That torch gives NaN too would make neither right.
    count = result.nan_count + result.inf_count
    if not (result.passed and count):
        return result
    reason = f"{count} values are not finite, here and in the reference: nothing is proved"
    return replace(result, passed=False, reason=reason)


def _names(cases: list[str]) -> str:
    more = len(cases) - _NAMED
    return ", ".join(cases[:_NAMED]) + (f" and {more} more" if more > 0 else "")
