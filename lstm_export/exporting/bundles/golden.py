"""Golden values: what torch and the oracle answer on inputs of several shapes and scales."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import nn

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.layout import LAYOUT
from lstm_export.checkpoint import Weights
from lstm_export.compare.cases import Case, Inputs, case_inputs
from lstm_export.contract import Forecast, GraphSpec, Window
from lstm_export.nn.forecaster import Forecaster
from lstm_export.nn.forms import module_of
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
    cases = {
        LAYOUT.model: _model_cases(terms.window),
        LAYOUT.stream: _STREAM_CASES,
        LAYOUT.forecast: _feedback_cases(terms.window),
        LAYOUT.ragged: _ragged_cases(terms.window),
    }
    for graph, spec in graphs.items():
        module = module_of(model, graph)

        def answered(
            case: Case, graph: str = graph, spec: GraphSpec = spec, module: nn.Module = module
        ) -> GoldenCase:
            inputs = case_inputs(terms, case)
            torch = run_module(module, spec, inputs)
            return GoldenCase(
                graph, case.name, inputs, torch, _exact(terms, weights, graph, inputs)
            )

        for case in cases[graph]:
            yield map(answered, _seeds(case))


def _exact(terms: Forecast, weights: Weights, graph: str, inputs: Inputs) -> Inputs:
    """What the oracle answers."""
    if graph == LAYOUT.stream:
        return {**oracle.stream(terms, weights, inputs)}
    x = inputs["x"]
    if graph == LAYOUT.forecast:
        steps, future = int(inputs["horizon"]), inputs.get("future")
        return {"output": oracle.feed_back(terms, weights, x, steps, future)}
    if graph == LAYOUT.ragged:
        return {"output": oracle.ragged(terms, weights, x, inputs["lengths"])}
    return {"output": oracle.forecast(terms, weights, x)}


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


def _feedback_cases(window: Window) -> list[Case]:
    shortest, usual = window.shortest, window.history
    return [
        Case(1, shortest, "typical", None, seed=0, horizon=1),
        Case(3, usual, "typical", None, seed=1, horizon=12),
        Case(2, usual + 1, "tiny", None, seed=2, horizon=5),
        Case(1, shortest + 3, "large", None, seed=3, horizon=2),
    ]


def _ragged_cases(window: Window) -> list[Case]:
    shortest, usual = window.shortest, window.history
    return [
        Case(1, shortest, "typical", None, seed=0, ragged=True),
        Case(3, usual + 1, "typical", None, seed=1, ragged=True),
        Case(5, shortest + 4, "tiny", None, seed=2, ragged=True),
        Case(2, shortest + 3, "large", None, seed=3, ragged=True),
    ]


_STREAM_CASES = [
    Case(1, 1, "typical", "zero", seed=0),
    Case(3, 7, "typical", "random", seed=1),
    Case(2, 1, "tiny", "random", seed=2),
    Case(1, 5, "large", "random", seed=3),
]
