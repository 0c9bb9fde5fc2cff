"""The inputs that a bundle is judged on against its run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lstm_export.compare.cases import Case, Inputs
from lstm_export.parity.live import SEEDS, STILL, _lively
from lstm_export.parity.runtimes.registry import Tensors

CASE = Case(1, 2, "large", "zero", seed=3)


def inputs_of(case: Case) -> Inputs:
    return {"seed": np.array(case.seed)}


def test_a_state_that_every_gate_is_closed_on_is_drawn_again() -> None:
    def oracle(inputs: Tensors) -> dict[str, np.ndarray]:
        open_ = inputs["seed"] == CASE.seed + 200
        return {"final_h": np.array([0.5 if open_ else 1e-7])}

    first = inputs_of(CASE)
    given, reference = _lively(CASE, first, oracle(first), inputs_of, oracle)
    assert given["seed"] == CASE.seed + 200
    assert reference["final_h"].max() >= STILL


def test_where_no_seed_will_do_the_liveliest_is_taken_and_outputs_alone_stay_as_they_are() -> None:
    asked = []

    def oracle(inputs: Tensors) -> dict[str, np.ndarray]:
        asked.append(int(inputs["seed"]))
        return {"final_h": np.array([1e-9 * inputs["seed"]])}

    first = inputs_of(CASE)
    given, _ = _lively(CASE, first, oracle(first), inputs_of, oracle)
    assert len(asked) == SEEDS
    assert given["seed"] == max(asked)
    assert {seed % 2 for seed in asked} == {CASE.seed % 2}
    still = {"output": np.array([1e-9])}
    assert _lively(replace(CASE, state=None), first, still, inputs_of, oracle) == (first, still)
