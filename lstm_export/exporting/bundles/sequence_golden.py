"""Golden values of models of sequences: what torch and the oracle answer, ragged batches too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import nn

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.layout import LAYOUT
from lstm_export.checkpoint import Weights
from lstm_export.compare.cases import Case, Inputs
from lstm_export.compare.sequence_cases import case_inputs, scales
from lstm_export.contract import GraphSpec, Sequences
from lstm_export.exporting.bundles.golden import SEEDS
from lstm_export.nn.forms import module_of
from lstm_export.nn.reference import run_module
from lstm_export.nn.sequence_model import SequenceModel
from lstm_export.oracle import sequences as oracle


def sequence_candidates(
    model: SequenceModel, weights: Weights, graphs: Mapping[str, GraphSpec]
) -> Iterator[Iterator[GoldenCase]]:
    """As `golden_candidates`: for each case, inputs from one seed after the other."""
    terms = model.terms
    for graph, spec in graphs.items():
        module = module_of(model, graph)

        def answered(
            case: Case, graph: str = graph, spec: GraphSpec = spec, module: nn.Module = module
        ) -> GoldenCase:
            inputs = case_inputs(terms, case)
            torch, exact = run_module(module, spec, inputs), _exact(terms, weights, graph, inputs)
            return GoldenCase(graph, case.name, inputs, torch, exact)

        for case in _CASES[graph]:
            if case.scale in scales(terms):
                # Whether padding is NaN goes by the seed being odd: a seed keeps that.
                seeds = (replace(case, seed=case.seed + 100 * turn) for turn in range(SEEDS))
                yield map(answered, seeds)


def _exact(terms: Sequences, weights: Weights, graph: str, inputs: Inputs) -> Inputs:
    """What the oracle answers."""
    if graph == LAYOUT.stream:
        return {**oracle.stream(terms, weights, inputs)}
    if graph == LAYOUT.ragged:
        return {terms.output: oracle.ragged(terms, weights, inputs["x"], inputs["lengths"])}
    return {terms.output: oracle.answer(terms, weights, inputs["x"])}


_CASES = {
    LAYOUT.model: [
        Case(1, 1, "typical", None, seed=0),
        Case(3, 24, "typical", None, seed=1),
        Case(2, 60, "typical", None, seed=2),
        Case(2, 7, "tiny", None, seed=3),
        Case(2, 8, "large", None, seed=4),
    ],
    LAYOUT.ragged: [
        Case(1, 1, "typical", None, seed=0, ragged=True),
        Case(3, 24, "typical", None, seed=1, ragged=True),
        Case(5, 9, "typical", None, seed=2, ragged=True),
        Case(4, 7, "tiny", None, seed=4, ragged=True),
        Case(2, 8, "large", None, seed=5, ragged=True),
    ],
    LAYOUT.stream: [
        Case(1, 1, "typical", "zero", seed=0),
        Case(3, 7, "typical", "random", seed=1),
        Case(2, 1, "tiny", "random", seed=2),
        Case(1, 5, "large", "random", seed=3),
        Case(2, 4, "typical", "random", seed=4),
    ],
}
