"""Does an exported file give its module's numbers, at any shape and on any values?

The module runs in eager torch, in float32 and, as the judge, in float64; the file runs in
onnxruntime; the parity rule decides, output by output.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from lstm_export.compare.result import TensorComparison
from lstm_export.compare.rounding import rejudged
from lstm_export.compare.rule import describe
from lstm_export.compare.tensors import compare_outputs
from lstm_export.contract import GraphSpec
from lstm_export.errors import ExportError
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.unchanged.kept import eval_mode, kept
from lstm_export.exporting.unchanged.quiet import no_warnings
from lstm_export.exporting.unchanged.single_thread import single_thread
from lstm_export.exporting.verify.integers import by_torch, exact_again
from lstm_export.exporting.verify.judge import Judge, misreading
from lstm_export.exporting.verify.promises import baked, broken_promises
from lstm_export.exporting.verify.reference import Arrays, Eager
from lstm_export.exporting.verify.session import Session
from lstm_export.exporting.verify.trials import Trial, Trials
from lstm_export.exporting.verify.verification import CaseComparison, Refused, Verification

_LOOSE = 1e-2
"""Where torch's own float32 error exceeds this share of the output, parity says little."""


@dataclass
class _Case:
    """One trial with all that is known of it."""

    trial: Trial
    torch: Arrays
    reference: Arrays | None = None


@dataclass
class _Findings:
    comparisons: list[CaseComparison] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify_graph(
    module: nn.Module,
    call: Call,
    graph: GraphSpec,
    model: bytes | Path,
    *,
    lengths: Set[str] = frozenset(),
    steady: bool = False,
    atol: float | None = None,
    rtol: float | None = None,
    judge: Judge | None = None,
) -> Verification:
    """`model`, a file or its bytes, run in onnxruntime against `module` under the parity rule.

    `graph` describes the file; inputs named in `lengths` are lengths of sequences, and a
    module that is known to be `steady` is not asked twice. With `atol` or
    `rtol` these hold instead of the rule. With a `judge` the reference is its answers, and the
    module in float64 has to give them as well. The module comes back as it was. What is wrong
    stands in the result: nothing is raised but OptionError for a tolerance that makes no sense.
    """
    rule = describe(atol, rtol)
    found = _Findings()
    cases: list[_Case] = []
    try:
        session = Session(model, graph)
    except ExportError as error:
        return Verification(rule, (), {}, (), (str(error),), (), ())
    with kept(module), eval_mode(module), no_warnings(), single_thread():
        trials = Trials(module, call, graph, lengths)
        eager = Eager(module, call, [spec.name for spec in graph.outputs])
        with eager.float32():
            if steady or _steady(eager, call, found):
                cases = _answered(eager, trials, found)
        with eager.float64():
            for case in cases:
                case.reference = _reference(eager, case, found)
                if judge is not None:
                    case.reference = _judged(judge, trials, case, found)
        with eager.float32():
            for case in cases:
                _judge(case, eager, session, graph, trials, found, atol, rtol)
    found.notes += _said_of(found.comparisons)
    sizes = {name: tuple(case.trial.sizes[name] for case in cases) for name in trials.traced}
    return Verification(
        rule,
        tuple(case.trial.name for case in cases),
        sizes,
        tuple(found.comparisons),
        tuple(found.failures),
        tuple(found.refused),
        tuple(dict.fromkeys(found.notes)),
    )


def _steady(eager: Eager, call: Call, found: _Findings) -> bool:
    """Whether the module answers its own example, and twice alike."""
    name = type(eager.module).__name__
    try:
        unsteady = eager.unsteady(call.examples)
    except Exception as error:
        found.failures.append(f"{name} refuses its own example: {_line(error)}")
        return False
    if unsteady:
        found.failures.append(
            f"{name} gives other numbers each time it is run on the same input in eval mode "
            f"({', '.join(unsteady)}): it draws random numbers in forward, so that nothing can be "
            "verified; draw them outside and pass them in as an argument"
        )
    return not unsteady


def _answered(eager: Eager, trials: Trials, found: _Findings) -> list[_Case]:
    """The trials that the module takes; every axis has several sizes among them, if it can."""
    cases = [
        case for plan in trials.planned() if (case := _case(eager, trials.versions(plan), found))
    ]
    for name, traced in trials.traced.items():
        for plan in trials.other_sizes(name):
            if any(case.trial.sizes[name] != traced for case in cases):
                break
            if case := _case(eager, trials.versions(plan), found):
                cases.append(case)
        else:
            found.notes.append(
                f"the module refuses every other {name} than {traced} in eager torch, so that "
                f"{name} was verified at this size alone"
            )
    if not cases:
        found.failures.append("the module refuses every trial in eager torch")
    return cases


def _case(eager: Eager, versions: Iterator[Trial], found: _Findings) -> _Case | None:
    """The first version that the module takes; if it takes none, why it refuses the first."""
    refused: Refused | None = None
    for trial in versions:
        try:
            if (answer := eager.takes(trial)) is not None:
                return _Case(trial, answer)
        except Exception as error:
            refused = refused or Refused(trial.name, _line(error))
    assert refused is not None
    found.refused.append(refused)
    return None


def _reference(eager: Eager, case: _Case, found: _Findings) -> Arrays | None:
    try:
        exact = eager(case.trial.tensors)
    except Exception as error:
        found.notes.append(
            "the module does not run in float64, so that torch's float32 is the reference: "
            + _line(error)
        )
        return None
    return {name: by_torch(exact[name], value) for name, value in case.torch.items()}


def _judged(judge: Judge, trials: Trials, case: _Case, found: _Findings) -> Arrays:
    """The judge's answers, once it is known what the module has to say to them."""
    wanted = dict(judge(trials.feeds(case.trial)))
    if case.reference is None:
        found.failures.append(f"at {case.trial.name}: the torch module does not run in float64")
    elif wrong := misreading(case.trial.name, case.reference, wanted, case.torch):
        found.failures.append(wrong)
    return wanted


def _judge(
    case: _Case,
    eager: Eager,
    session: Session,
    graph: GraphSpec,
    trials: Trials,
    found: _Findings,
    atol: float | None,
    rtol: float | None,
) -> None:
    trial, torch = case.trial, case.torch
    # Without float64 torch's one run cannot show its own error: moved weights can.
    reference = case.reference or {name: _wide(value) for name, value in torch.items()}
    try:
        got = session.run(trials.feeds(trial))
    except ExportError as error:
        found.failures.append(f"at {trial.name}: {error}")
        return
    found.failures += broken_promises(graph, trial, torch, trials.traced)
    for name in torch:
        if name in got and got[name].dtype.kind in "iub":
            reference[name], count = exact_again(got[name], reference[name], torch[name])
            if count:
                found.notes.append(
                    f"{name} at {trial.name}: torch's float32 and float64 differ in {count} "
                    "places, where either was accepted"
                )
    for name in [name for name in torch if _both_empty(torch[name], got.get(name))]:
        found.notes.append(f"{name} at {trial.name} is empty, as the module has it")
        torch = {other: value for other, value in torch.items() if other != name}
        del got[name], reference[name]
    results = compare_outputs(got, reference, torch, atol=atol, rtol=rtol)
    better: dict[str, TensorComparison] = {}
    if atol is None and rtol is None:
        better = rejudged(results, got, reference, eager.on_moved_weights(trial.tensors))
    found.comparisons += [
        CaseComparison(
            trial.name,
            better.get(one.name) or baked(one, reference.get(one.name), trial, trials.traced),
            moved=one.name in better,
        )
        for one in results
    ]


def _both_empty(torch: npt.NDArray[Any], got: npt.NDArray[Any] | None) -> bool:
    return got is not None and torch.size == 0 and got.shape == torch.shape


def _said_of(comparisons: list[CaseComparison]) -> list[str]:
    """What a reader must know of results that pass."""
    notes = []
    if moved := [one for one in comparisons if one.moved]:
        names = ", ".join(dict.fromkeys(one.comparison.name for one in moved))
        notes.append(
            f"this module amplifies rounding: in {len(moved)} of {len(comparisons)} comparisons "
            f"({names}) torch's own error was measured with every weight moved by one unit in the "
            "last place"
        )
    for one in comparisons:
        result = one.comparison
        own, scale = result.torch_max_abs_error, result.reference_scale
        if own is not None and scale is not None and own > _LOOSE * scale > 0:
            notes.append(
                f"{result.name} at {one.case}: torch's own float32 is {own:.2g} off, of "
                f"{scale:.2g} in all; agreement there says little"
            )
        if result.passed and result.shape and result.nan_count + result.inf_count:
            notes.append(
                f"{result.name} at {one.case} holds {result.nan_count + result.inf_count} values "
                "that are not finite, here and in torch"
            )
    return notes


def _wide(value: np.ndarray) -> np.ndarray:
    return value.astype(np.float64) if value.dtype.kind == "f" else value


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
