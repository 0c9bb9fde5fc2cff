"""Golden values of a module: some of the trials, with torch's answers in both precisions."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Set
from dataclasses import replace

import numpy as np
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
from lstm_export.exporting.verify.reference import Arrays, Eager
from lstm_export.exporting.verify.trials import Plan, Trial, Trials

CASES = 5
SEEDS = 8
"""Inputs to choose from for each case."""
EXTREMES = (1e-3, 1e3)
"""Two more cases, for modules with floating sequences: gates that hardly move, and gates that
saturate."""
MEANINGFUL = 1e-3
"""Of an output's largest value: where torch's own float32 is further off, the module makes nothing
of such inputs."""


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
    run = functools.partial(_case, module, call, graph, trials, name, judge)
    taken: list[Plan] = []
    planned = trials.planned()
    # The smallest first: what a runtime lays out for the first shape that it meets, a larger one
    # then overruns.
    planned[:2] = planned[1::-1]
    for plan in planned:
        if len(taken) < CASES and (first := run(plan)) is not None:
            taken.append(plan)
            yield itertools.chain([first], filter(None, map(run, _seeds(plan))))
    # At the smallest sizes that were taken, but for those of 1: they cost the least.
    plans = sorted(taken, key=lambda plan: (1 in plan.sizes.values(), *plan.sizes.values()))
    for factor in EXTREMES:
        for plan in plans[:1]:
            scaled = functools.partial(run, factor=factor)
            if (first := scaled(plan)) is not None:
                yield itertools.chain([first], filter(None, map(scaled, _seeds(plan))))


def _seeds(plan: Plan) -> Iterator[Plan]:
    """The same shape with other values."""
    return (replace(plan, seed=plan.seed + 100 * turn) for turn in range(1, SEEDS))


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
    factor: float = 1.0,
) -> GoldenCase | None:
    with kept(module), eval_mode(module), no_warnings(), single_thread():
        eager = Eager(module, call, [spec.name for spec in graph.outputs])
        for version in trials.versions(plan):
            if version.nan_padding:  # runtimes refuse it, unless they are told not to
                continue
            trial = version if factor == 1 else trials.scaled(version, factor)
            if trial is None:
                return None
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
            if factor == 1 or meaningful(torch, oracle):
                return GoldenCase(name, _slug(trial), feeds, torch, oracle)
    return None


def meaningful(torch: Arrays, oracle: Arrays) -> bool:
    """Whether torch's float32 answers are finite, and near enough to the exact ones that another
    runtime can be judged by them.
    """
    for output, exact in oracle.items():
        if not (np.isfinite(exact).all() and np.isfinite(torch[output]).all()):
            return False
        if exact.size and exact.dtype.kind == "f":
            if np.abs(torch[output] - exact).max() > MEANINGFUL * np.abs(exact).max():
                return False
        elif (torch[output] != exact).any():
            return False
    return True


def _slug(trial: Trial) -> str:
    """For example `batch4-sequence_length13-ragged`: part of a path in the golden file."""
    return re.sub(r"[^\w.-]+", "-", trial.name.replace("=", ""))
