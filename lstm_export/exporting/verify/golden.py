"""Golden values of a module: some of the trials, with torch's answers in both precisions."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Set
from dataclasses import replace

from torch import nn

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import GraphSpec
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.unchanged.kept import eval_mode, kept
from lstm_export.exporting.unchanged.quiet import no_warnings
from lstm_export.exporting.unchanged.single_thread import single_thread
from lstm_export.exporting.verify.integers import by_torch
from lstm_export.exporting.verify.judge import Judge
from lstm_export.exporting.verify.reference import Eager
from lstm_export.exporting.verify.trials import Plan, Trial, Trials

CASES = 5
SEEDS = 8
"""Inputs to choose from for each case."""


def golden_candidates(
    module: nn.Module,
    call: Call,
    graph: GraphSpec,
    *,
    name: str = LAYOUT.model,
    lengths: Set[str] = frozenset(),
    judge: Judge | None = None,
) -> Iterator[Iterator[GoldenCase]]:
    """For each case, the same shape with inputs from one seed after the other.

    The exact answers are the `judge`'s where there is one, else the module's in float64.

    Shapes that the module refuses are left out. The module is run when a case is asked for, and is
    then left as it was.
    """
    trials = Trials(module, call, graph, lengths)
    given = 0
    for plan in trials.planned():
        run = functools.partial(_case, module, call, graph, trials, name, judge)
        if given < CASES and (first := run(plan)) is not None:
            given += 1
            others = (replace(plan, seed=plan.seed + 100 * turn) for turn in range(1, SEEDS))
            yield itertools.chain([first], filter(None, map(run, others)))


def golden_cases(
    module: nn.Module,
    call: Call,
    graph: GraphSpec,
    *,
    name: str = LAYOUT.model,
    lengths: Set[str] = frozenset(),
) -> list[GoldenCase]:
    """The first candidate of each case."""
    candidates = golden_candidates(module, call, graph, name=name, lengths=lengths)
    return [next(slot) for slot in candidates]


def _case(
    module: nn.Module,
    call: Call,
    graph: GraphSpec,
    trials: Trials,
    name: str,
    judge: Judge | None,
    plan: Plan,
) -> GoldenCase | None:
    with kept(module), eval_mode(module), no_warnings(), single_thread():
        eager = Eager(module, call, [spec.name for spec in graph.outputs])
        for trial in trials.versions(plan):
            if trial.nan_padding:  # runtimes refuse it, unless they are told not to
                continue
            with eager.float32():
                try:
                    torch = eager(trial.tensors)
                except Exception:
                    continue
            if not all(value.size for value in torch.values()):  # nothing to compare
                continue
            feeds = trials.feeds(trial)
            if judge is not None:
                oracle = dict(judge(feeds))
            else:
                with eager.float64():
                    exact = eager(trial.tensors)
                oracle = {output: by_torch(exact[output], value) for output, value in torch.items()}
            return GoldenCase(name, _slug(trial), feeds, torch, oracle)
    return None


def _slug(trial: Trial) -> str:
    """For example `batch4-sequence_length13-ragged`: part of a path in the golden file."""
    return re.sub(r"[^\w.-]+", "-", trial.name.replace("=", ""))
