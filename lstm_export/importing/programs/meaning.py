"""Numbers in a program's graph that may have been made of a size that it was saved with."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

_ATEN = torch.ops.aten
_STRUCTURE = frozenset(
    (
        *("dim", "dims", "dim0", "dim1", "start_dim", "end_dim", "axis", "dtype", "layout"),
        *("eps", "momentum", "negative_slope", "padding_idx", "p", "alpha", "beta", "ord"),
        *("normalized_shape", "groups", "stride", "padding", "dilation", "output_padding"),
        *("num_layers", "dropout", "num_groups", "correction", "upscale_factor", "index"),
        *("reduction", "diagonal", "memory_format", "device", "sparse", "threshold", "step"),
    )
)
"""Arguments that name axes or belong to a layer; `index` is looked at for itself."""
_SIZES = frozenset(("size", "sizes", "shape", "repeats", "split_sizes"))
_FACTORS = (_ATEN.mul.Tensor, _ATEN.div.Tensor, _ATEN.mul.Scalar, _ATEN.div.Scalar)
_OTHERWISE = (_ATEN.slice.Tensor, _ATEN.select.int, _ATEN.pow.Tensor_Scalar, operator.getitem)
"""What `takes_part` looks at, powers, and the results of an operator that has several."""
INDEXING = (_ATEN.index.Tensor, _ATEN.index_select.default)
RANGES = (_ATEN.arange.default, _ATEN.arange.start, _ATEN.arange.start_step)
_END = 1 << 62


@dataclass(frozen=True, slots=True)
class Number:
    """A number that the graph holds at `node`."""

    value: float
    node: fx.Node


def numbers(node: fx.Node, sizes: frozenset[int]) -> Iterator[Number]:
    """Those among the arguments of `node` that could be anything's.

    The end of a range is not among them where it is one of the inputs' `sizes`, as those that make
    a tensor are not: which one it is shows from what the tensor is used for.
    """
    if isinstance(node.target, torch._ops.OpOverload):
        names = [one.name for one in node.target._schema.arguments]
        given = [*zip(names, node.args, strict=False), *node.kwargs.items()]
    else:
        given = [("other", one) for one in node.args]
    if node.target in _OTHERWISE:
        return
    for name, value in given:
        if name in _STRUCTURE or name in _SIZES:
            continue
        if name == "end" and node.target in RANGES and value in sizes:
            continue
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < _END:
                yield Number(one, node)


def comes_from(number: Number, size: int, others: Sequence[int]) -> bool:
    """Whether the number may be made of `size`, alone or with one of the `others`."""
    value = abs(number.value)
    if value in (0, 1):
        return value == 1 and size == 1 and number.node.target in _FACTORS
    made = {size - 1, size, size + 1, size / 2, math.sqrt(size), math.log(size)}
    made |= {size * other for other in (size, *others)}
    made |= {1 / one for one in made if one}
    return any(math.isclose(value, one, rel_tol=1e-5) for one in made)


def takes_part(node: fx.Node, size: int) -> str | None:
    """What `node`, which takes something along an axis of `size`, takes by a number that may be
    made of the size; None where it takes the first, the last or all from or to one of these.
    """
    if node.target is _ATEN.select.int:
        index: Any = node.args[2]
        if index > 0 or (index <= -size and index != -1) or (index == 0 and size == 1):
            return f"entry {index} is taken by its number"
        return None
    if node.target is not _ATEN.slice.Tensor:
        return "entries are taken by numbers that the program holds"
    start, end = (*node.args[2:], None, None)[:2]
    if isinstance(end, int) and 0 < end < _END:
        return f"entries up to {end} are taken by their number"
    if isinstance(start, int) and comes_from(Number(start, node), size, ()):
        return f"entries from {start} on are taken by their number"
    return None
