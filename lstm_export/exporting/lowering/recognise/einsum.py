"""Einsum, where it is the product of a tensor and a matrix."""

from __future__ import annotations

from lstm_export.exporting.lowering.recognise.product import Array


def matrix_of(equation: str, constant: int, numbers: Array, axis: int) -> Array | None:
    """The matrix that features along the negative `axis` are multiplied with, or None.

    The operand at position `constant` holds `numbers`; the other one is the tensor.
    """
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow or len(terms) != 2 or numbers.ndim != 2:
        return None
    matrix, tensor = terms[constant], terms[1 - constant].replace("...", "")
    result = result.replace("...", "")
    if "." in matrix or len(tensor) < -axis or len(result) != len(tensor):
        return None
    summed, kept = tensor[axis], result[axis]
    others = tensor.replace(summed, "", 1)
    if sorted(matrix) != sorted(summed + kept) or others != result.replace(kept, "", 1):
        return None
    if len(set(tensor + kept)) != len(tensor) + 1:
        return None
    return numbers if matrix == kept + summed else numbers.T
