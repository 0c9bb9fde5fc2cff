"""The axes of a tensor within one step: which one holds the features, and which the batch."""

from __future__ import annotations

import onnx_ir as ir

Dim = int | str | None


def dims(value: ir.Value) -> tuple[Dim, ...] | None:
    """The sizes that the graph states: numbers, names, or None; None if the rank is unknown."""
    if value.shape is None:
        return None
    return tuple(_size(dim if isinstance(dim, int) else dim.value) for dim in value.shape)


def _size(dim: Dim) -> Dim:
    # torch names a size "6" where a symbol turned out to be 6.
    return int(dim) if isinstance(dim, str) and dim.isdigit() else dim


def width(value: ir.Value, axis: int) -> int | None:
    """The number of features along the (negative) `axis`, if it is known."""
    sizes = dims(value)
    if sizes is None or len(sizes) < -axis:
        return None
    size = sizes[axis]
    return size if isinstance(size, int) else None


def batch(value: ir.Value, axis: int) -> tuple[Dim, ...] | None:
    """The sizes of all axes but the features', those of size 1 left out."""
    sizes = dims(value)
    if sizes is None or len(sizes) < -axis:
        return None
    feature = len(sizes) + axis
    return tuple(size for i, size in enumerate(sizes) if i != feature and size != 1)


def outline(value: ir.Value, axis: int) -> tuple[tuple[Dim, ...], int] | None:
    """The sizes as `batch` has them, and how many of them come before the features.

    A reshape that keeps it moves no number to another place.
    """
    sizes = dims(value)
    if sizes is None or len(sizes) < -axis:
        return None
    before = sizes[: len(sizes) + axis]
    return batch(value, axis) or (), sum(size != 1 for size in before)
