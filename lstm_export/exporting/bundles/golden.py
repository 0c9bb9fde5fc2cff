"""Golden values: what torch and the oracle answer on inputs of several shapes and scales."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.layout import LAYOUT
from lstm_export.checkpoint import Weights
from lstm_export.compare.cases import Case, case_inputs
from lstm_export.contract import GraphSpec, Window
from lstm_export.nn.forecaster import Forecaster, ForecasterStream
from lstm_export.nn.reference import run_module
from lstm_export.oracle import forecaster as oracle

SEEDS = 8
"""Inputs to choose from for each case."""


def golden_candidates(
    model: Forecaster, weights: Weights, graphs: Mapping[str, GraphSpec]
) -> Iterator[Iterator[GoldenCase]]:
    """For each case, the same shape and scale with inputs from one seed after the other.

    Batch and length vary apart, raw values are small, usual and large.
    """
    terms = model.forecast

    def whole(case: Case) -> GoldenCase:
        inputs = case_inputs(terms, case)
        torch = run_module(model, graphs[LAYOUT.model], inputs)
        exact = {"output": oracle.forecast(terms, weights, inputs["x"])}
        return GoldenCase(LAYOUT.model, case.name, inputs, torch, exact)

    for case in _model_cases(terms.window):
        yield map(whole, _seeds(case))
    if LAYOUT.stream not in graphs:
        return
    stream = ForecasterStream(model).eval()

    def streamed(case: Case) -> GoldenCase:
        inputs = case_inputs(terms, case)
        torch = run_module(stream, graphs[LAYOUT.stream], inputs)
        return GoldenCase(
            LAYOUT.stream, case.name, inputs, torch, oracle.stream(terms, weights, inputs)
        )

    for case in _STREAM_CASES:
        yield map(streamed, _seeds(case))


def _seeds(case: Case) -> list[Case]:
    return [replace(case, seed=case.seed + 100 * turn) for turn in range(SEEDS)]


def _model_cases(window: Window) -> list[Case]:
    shortest, usual = window.shortest, window.history
    return [
        Case(1, shortest, "typical", None, seed=0),
        Case(3, usual, "typical", None, seed=1),
        Case(2, usual + 1, "typical", None, seed=2),
        Case(2, shortest + 2, "tiny", None, seed=3),
        Case(2, shortest + 3, "large", None, seed=4),
    ]


_STREAM_CASES = [
    Case(1, 1, "typical", "zero", seed=0),
    Case(3, 7, "typical", "random", seed=1),
    Case(2, 1, "typical", "random", seed=2),
    Case(1, 5, "large", "random", seed=3),
]
