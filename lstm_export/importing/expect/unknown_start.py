"""A start from states that nobody saved, the same for all sequences: found by least squares.

Gauss and Newton's iteration with Marquardt's damping. Derivatives are differences of the float64
equations, all of them in one run: sequences with moved states lie beside each other in the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.errors import InputError
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.expected import Float, Values
from lstm_export.importing.expect.judge import judged
from lstm_export.importing.expect.stateful import Stateful, stateful
from lstm_export.importing.reference import run

_MOST_UNKNOWN = 96
_MOST_WORK = 3e8
"""Multiplications of one run with all differences."""
_ITERATIONS = 25
_MOVE = 1e-6
_ROWS = 8


def unknown_start(case: Case, atol: float | None = None) -> str | None:
    """The states, where such a start explains the file and can be told from it."""
    if "batch" not in case.sizes or (layers := stateful(case)) is None:
        return None
    if any("batch" not in case.axes[name] for name in case.expected.outputs):
        return None
    shapes = {name: layers.shape(name, 1) for name in layers.states.values()}
    unknown = sum(int(np.prod(shape)) for shape in shapes.values())
    rows = min(_ROWS, case.sizes["batch"])
    problem = _Problem(case, layers, shapes, rows)
    weights = sum(array.size for array in case.weights.tensors.values())
    work = (unknown + 1) * rows * weights * case.sizes.get("sequence_length", 1)
    if unknown > _MOST_UNKNOWN or work > _MOST_WORK or problem.target.size < 2 * unknown:
        return None
    try:
        found = _least_squares(problem, unknown)
        states = problem.states(found[None], case.sizes["batch"])
        outputs = run(layers.description, {**case.feeds, **states})
    except (InputError, np.linalg.LinAlgError):
        return None
    if not all(each.passed for each in judged(outputs, case.expected, atol=atol)):
        return None
    said = "; ".join(
        f"{layers.roles[name]} = {_written(state[:, 0])}"
        for name, state in problem.states(found[None], 1).items()
    )
    return (
        "The outputs agree if every sequence starts from one and the same state that is not zeros, "
        f"found from them as {said}. Put these arrays into the file beside the weights."
    )


class _Problem:
    """Outputs of some sequences as one vector, for many starts at once."""

    def __init__(
        self, case: Case, layers: Stateful, shapes: Mapping[str, tuple[int, ...]], rows: int
    ) -> None:
        self.case, self.layers, self.shapes, self.rows = case, layers, shapes, rows
        parts = []
        for name, values in case.expected.outputs.items():
            shape = case.output_shape(name)
            if shape is None:
                raise InputError(f"{name}: its shape cannot be told beforehand")
            parts.append(self._by_row(name, values.reshape(shape))[:rows])
        self.target = np.concatenate([part.ravel() for part in parts])

    def states(self, starts: Float, copies: int) -> dict[str, Float]:
        """`starts` (starts, unknown) as inputs, each for so many sequences beside each other."""
        found, at = {}, 0
        for name, (layers, _, size) in self.shapes.items():
            part = starts[:, at : at + layers * size].reshape(-1, layers, size)
            found[name] = np.repeat(part, copies, axis=0).swapaxes(0, 1)
            at += layers * size
        return found

    def outputs(self, starts: Float) -> Float:
        """(starts, outputs of all sequences)."""
        feeds: dict[str, Values] = {}
        for each in self.case.description.inputs:
            axis = each.axes.index("batch")
            some = np.take(self.case.feeds[each.name], range(self.rows), axis=axis)
            feeds[each.name] = np.concatenate([some] * len(starts), axis=axis)
        found = run(self.layers.description, {**feeds, **self.states(starts, self.rows)})
        parts = [
            self._by_row(name, found[name]).reshape(len(starts), -1)
            for name in self.case.expected.outputs
        ]
        return np.concatenate(parts, axis=1)

    def _by_row(self, name: str, values: npt.NDArray[Any]) -> Float:
        return np.moveaxis(values, self.case.axes[name].index("batch"), 0)


def _least_squares(problem: _Problem, unknown: int) -> Float:
    now, damping = np.zeros(unknown), 1e-6
    cost = float("inf")
    for _ in range(_ITERATIONS):
        starts = np.concatenate([now[None], now + _MOVE * np.eye(unknown)])
        outputs = problem.outputs(starts)
        residual = outputs[0] - problem.target
        jacobian = (outputs[1:] - outputs[0]).T / _MOVE
        cost = float(residual @ residual)
        square, slope = jacobian.T @ jacobian, jacobian.T @ residual
        scale = float(np.trace(square)) / unknown or 1.0
        for _ in range(8):
            step = np.linalg.solve(square + damping * scale * np.eye(unknown), slope)
            moved = problem.outputs((now - step)[None])[0] - problem.target
            if float(moved @ moved) < cost:
                damping /= 10
                break
            damping *= 10
        else:
            return now
        now = now - step
        if np.abs(step).max() < 1e-9:
            return now
    return now


def _written(rows: Float) -> str:
    numbers = [f"[{', '.join(f'{value:.6g}' for value in row)}]" for row in rows]
    return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"
