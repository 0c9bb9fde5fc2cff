"""Whether the oracle's equations give the runtime's numbers: by the parity rule, each time.

The reference is the oracle in float64 on the tensors that enter the layer in the runtime; NumPy in
float32 takes torch's place. The model's answer is judged in the same way: the rest of the graph
runs on what the oracle gives out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lstm_export.compare.result import TensorComparison
from lstm_export.compare.rounding import RUNS, moved_by_one_place, rejudged
from lstm_export.compare.tensors import compare_outputs
from lstm_export.explain.graph import Answering, Tensors
from lstm_export.explain.layer import run_node
from lstm_export.explain.nodes import RecurrentNode
from lstm_export.explain.subject import Feeds

_WEIGHTS = ("W", "R", "B")


def judged(
    node: RecurrentNode,
    entering: Tensors,
    leaving: Tensors,
    reference: Tensors,
    rest: Answering,
    feeds: Feeds,
    answers: tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]],
) -> tuple[TensorComparison, ...]:
    """`leaving`, what left the node in the runtime, beside `reference`, the oracle's; and of the
    `answers` the runtime's beside the one that follows from the oracle's."""
    known = {role: reference[role] for role in leaving}
    theirs = _float(answers[1])
    got = {**leaving, "answer": answers[0]}
    truth = {**known, "answer": theirs}

    def single(fed: Tensors) -> Tensors:
        found = run_node(node, fed, np.float32)
        stood = {role: found[role].astype(np.float32) for role in leaving}
        return {**stood, "answer": rest(feeds, found)}

    results = compare_outputs(got, truth, single(entering))

    def moved() -> Iterator[Tensors]:
        for seed in range(RUNS):
            rng = np.random.default_rng(seed)
            weights = {
                role: moved_by_one_place(entering[role], rng)
                for role in _WEIGHTS
                if role in entering
            }
            yield single({**entering, **weights})

    passed = rejudged(results, got, truth, moved())
    return tuple(passed.get(result.name, result) for result in results)


def worst(found: list[tuple[TensorComparison, ...]]) -> tuple[TensorComparison, ...]:
    """Of several batches' comparisons the worst of each name, failures first."""
    by_name: dict[str, list[TensorComparison]] = {}
    for comparisons in found:
        for one in comparisons:
            by_name.setdefault(one.name, []).append(one)
    return tuple(
        max(ones, key=lambda one: (not one.passed, one.severity)) for ones in by_name.values()
    )


def _float(answer: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    return answer.astype(np.float64) if answer.dtype.kind == "f" else answer
