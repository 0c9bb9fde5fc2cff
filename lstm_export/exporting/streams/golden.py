"""Golden values of a stream graph: chunks from given states, with torch's answers."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.layout import LAYOUT
from lstm_export.exporting.streams.draws import Arrays, Draws
from lstm_export.exporting.streams.eager_states import eager_chunk
from lstm_export.exporting.streams.start import started
from lstm_export.exporting.unchanged.kept import eval_mode, kept
from lstm_export.exporting.unchanged.quiet import no_warnings
from lstm_export.exporting.unchanged.single_thread import single_thread
from lstm_export.exporting.verify.golden import EXTREMES, SEEDS, meaningful
from lstm_export.exporting.verify.integers import by_torch
from lstm_export.exporting.verify.reference import Eager
from lstm_export.exporting.verify.trials import Trial
from lstm_export.exporting.verify.values import Style

_PLAIN = Style()


@dataclass(frozen=True, slots=True)
class _Case:
    batch: int
    length: int
    states: bool
    """Random ones; else zero."""
    style: Style = _PLAIN
    factor: float = 1.0
    """Of floating inputs, the states apart."""


_CASES = (
    _Case(1, 1, False),
    _Case(3, 7, True, Style(ragged=True)),
    _Case(2, 1, True),
    _Case(1, 5, True, Style(scale=3.0)),
    *(_Case(2, 3, True, factor=factor) for factor in EXTREMES),
)


def stream_candidates(module: nn.Module, draws: Draws) -> Iterator[Iterator[GoldenCase]]:
    """For each case, the same shape with inputs from one seed after the other.

    The module is run when a case is asked for, and is then left as it was.
    """
    for place, case in enumerate(_CASES):
        seeds = (place + 100 * turn for turn in range(SEEDS))
        found = (_golden(module, draws, case, seed) for seed in seeds)
        first = next(found)
        if first is not None:
            yield itertools.chain([first], filter(None, found))


def _golden(module: nn.Module, draws: Draws, case: _Case, seed: int) -> GoldenCase | None:
    with contextlib.ExitStack() as stack:
        for block in (kept(module), eval_mode(module), no_warnings(), single_thread()):
            stack.enter_context(block)
        eager = Eager(module, draws.call, draws.output_names)
        initial = _states(draws, case, seed)
        for version in draws.versions(case.batch, case.length, seed, case.style):
            extreme = case.factor != 1
            trial = draws.trials.scaled(version, case.factor) if extreme else version
            if trial is None:
                return None
            try:
                with eager.float32():
                    usual = _answer(eager, draws, trial, initial, torch.float32)
            except Exception:  # integers that the module does not take: the next version may do
                continue
            with eager.float64():
                exact = _answer(eager, draws, trial, initial, torch.float64)
            oracle = {name: by_torch(exact[name], value) for name, value in usual.items()}
            if extreme and not meaningful(usual, oracle):
                continue
            feeds = draws.chunk(trial.tensors, 0, case.length)
            name = f"batch{case.batch}-length{case.length}-{'states' if case.states else 'start'}"
            if extreme:
                name += "-tiny" if case.factor < 1 else "-large"
            return GoldenCase(LAYOUT.stream, name, {**feeds, **initial}, usual, oracle)
    return None


def _answer(
    eager: Eager, draws: Draws, trial: Trial, initial: Arrays, dtype: torch.dtype
) -> Arrays:
    outputs = eager_chunk(eager, draws.carried.states, trial.tensors, initial, dtype)
    return {spec.name: outputs[spec.name] for spec in draws.carried.graph.outputs}


def _states(draws: Draws, case: _Case, seed: int) -> Arrays:
    rng = np.random.default_rng(seed)
    found = {}
    for state in draws.carried.states:
        value = started(state, case.batch, None)
        if case.states:
            value = np.tanh(rng.normal(size=value.shape)).astype(np.float32)
        found[state.name] = value
    return found
