"""Many variants of one model on the same arrays: what they share is computed once.

The oracles are those of `reference.run`, which has the last word on whatever is found by this. A
few sequences of the batch stand for all, where every step is given their first steps, and a budget
of multiplications ends the search.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_export.importing.description import Step
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.expected import Expected, Float, Values
from lstm_export.importing.shapes import op_of, tensors_of

ROWS, STEPS = 4, 256
BUDGET = 8e9
_OF_A_CALL = 3e4  # multiplications that one call of NumPy costs as much as
_OF_A_NUMBER = 20.0  # an exponential, say
_MOST_KEPT = 1 << 28
"""Bytes of values that are kept for variants to come."""

_AHEAD = ("conv1d", "max_pool", "avg_pool", "mean", "max", "last", "last_valid", "flatten")
"""Ops whose values may come from later steps."""

Key = tuple[Any, ...]


class Evaluator:
    """Runs cases on a few of the sequences; `spent` counts what that cost."""

    def __init__(self, rows: int = ROWS, budget: float = BUDGET) -> None:
        self.rows, self.budget, self.spent = rows, budget, 0.0
        self._known: dict[Key, tuple[Values, ...]] = {}
        self._kept = 0

    @property
    def exhausted(self) -> bool:
        return self.spent >= self.budget

    def run(self, case: Case) -> tuple[dict[str, Float], Expected]:
        """Outputs of some sequences, and what is expected of these.

        Raises InputError for arrays that a step refuses, lengths out of range for one.
        """
        rows = self._sample(case)
        steps = _some_steps(case)
        keys: dict[str, Key] = {}
        values: dict[str, Values] = {}
        for each in case.description.inputs:
            keys[each.name] = ("input", each.name, each.axes, rows, steps)
            values[each.name] = _taken(case.feeds[each.name], each.axes, rows, steps)
        for step in case.description.steps:
            inputs = [values[name] for name in step.inputs]
            key = _key(step, tuple(keys[name] for name in step.inputs))
            found = self._known.get(key)
            if found is None:
                tensors = tensors_of(step, case.weights.tensors)
                found = op_of(step).oracle(step, tensors, inputs)
                self.spent += _cost(step, tensors, inputs[0])
                self._keep(key, found)
            for index, name in enumerate(step.outputs):
                values[name], keys[name] = found[index], (*key, index)
        outputs = {name: np.asarray(values[name], np.float64) for name in case.description.outputs}
        return outputs, _expected_of(case, rows, steps)

    def _sample(self, case: Case) -> tuple[int, ...] | None:
        """Sequences spread over the batch; None (all) where an output has no axis of them."""
        batch = case.sizes.get("batch", 0)
        whole = all("batch" in case.axes[name] for name in case.expected.outputs)
        known = all(case.output_shape(name) is not None for name in case.expected.outputs)
        if batch <= self.rows or not (whole and known):
            return None
        return tuple(int(i) for i in np.linspace(0, batch - 1, self.rows).round())

    def _keep(self, key: Key, found: tuple[Values, ...]) -> None:
        size = sum(array.nbytes for array in found)
        if self._kept + size <= _MOST_KEPT:
            self._known[key], self._kept = found, self._kept + size


def _key(step: Step, inputs: tuple[Key, ...]) -> Key:
    options = tuple(sorted(step.options.items()))
    return (step.op, options, tuple(sorted(step.tensors.items())), step.layout, inputs)


def _cost(step: Step, tensors: Mapping[str, Values], first: Values) -> float:
    places = first.size / max(1, first.shape[-1] if first.ndim else 1)
    weights = sum(array.size for array in tensors.values())
    steps = max(first.shape[:2], default=1) if step.op in ("lstm", "gru", "rnn") else 1
    return float(weights * places + _OF_A_NUMBER * first.size + _OF_A_CALL * steps)


def _some_steps(case: Case) -> int | None:
    """How many of the first steps do, where nothing reads later ones to give them; None: all."""
    given = all(
        "sequence_length" in case.axes[name] and case.output_shape(name) is not None
        for name in case.expected.outputs
    )
    ahead = any(
        step.op in _AHEAD
        or "lengths" in step.options.get("takes", ())
        or any(role.endswith("_reverse") for role in step.tensors)
        for step in case.description.steps
    )
    long = case.sizes.get("sequence_length", 0) > STEPS
    return STEPS if given and long and not ahead else None


def _taken(
    array: Values, axes: tuple[str | int, ...], rows: tuple[int, ...] | None, steps: int | None
) -> Values:
    if rows is not None and "batch" in axes:
        array = np.take(array, rows, axis=axes.index("batch"))
    if steps is not None and "sequence_length" in axes:
        array = np.take(array, range(steps), axis=axes.index("sequence_length"))
    return array


def _expected_of(case: Case, rows: tuple[int, ...] | None, steps: int | None) -> Expected:
    if rows is None and steps is None:
        return case.expected
    outputs, rounding = dict[str, Float](), dict[str, Float]()
    for name, values in case.expected.outputs.items():
        shape, axes = case.output_shape(name), case.axes[name]
        assert shape is not None
        outputs[name] = _taken(values.reshape(shape), axes, rows, steps)
        rounding[name] = _taken(case.expected.rounding[name].reshape(shape), axes, rows, steps)
    return Expected(case.expected.source, {}, {}, outputs, rounding)
