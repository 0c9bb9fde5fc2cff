"""A linear layer: torch's weight is (output_size, input_size), Keras's kernel the other way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import Axes, Float, Op, Tensors, maybe, of_size, weight
from lstm_export.importing.raw import Array

MATRIX = {"torch": "weight", "keras": "kernel"}


def _sizes(step: Step, tensors: Tensors) -> tuple[int, int]:
    """input_size and output_size, by the matrix, which the bias must fit."""
    first, second = weight(step, tensors, MATRIX[step.layout], (None, None)).shape
    input_size, output_size = (first, second) if step.layout == "keras" else (second, first)
    maybe(step, tensors, "bias", (output_size,))
    return input_size, output_size


def _input_size(step: Step, tensors: Tensors) -> int:
    return _sizes(step, tensors)[0]


def _axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    input_size, output_size = _sizes(step, tensors)
    matrix = MATRIX[step.layout]
    why = f"{step.tensors.get(matrix, matrix)} is {tensors[matrix].shape}"
    of_size(step, inputs[0], -1, input_size, why)
    return ((*inputs[0][:-1], output_size),)


def _oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    _, output_size = _sizes(step, tensors)
    matrix = weight(step, tensors, MATRIX[step.layout], (None, None))
    columns = matrix if step.layout == "keras" else matrix.T
    y: Float = np.asarray(inputs[0], dtype=np.float64) @ columns
    bias = maybe(step, tensors, "bias", (output_size,))
    return (y if bias is None else y + bias,)


LINEAR = Op(
    "linear",
    _axes,
    _oracle,
    roles={layout: (role, "bias") for layout, role in MATRIX.items()},
    input_size=_input_size,
)
