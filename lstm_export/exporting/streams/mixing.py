"""Which lines of a module's code let steps meet each other outside of its recurrent layers.

This explains what was measured, and asks for more of it; it decides nothing. A line that looks like
mixing may not be, as a sum over steps of which all but the last are masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from lstm_export.exporting.rolling.nodes import place_of
from lstm_export.exporting.streams.stepwise import Sizes, told
from lstm_export.exporting.tracing.axes import AxisNames
from lstm_export.exporting.tracing.blame import Place

_ALONG = frozenset(
    [
        *("mean", "sum", "prod", "std", "var", "amax", "amin", "max", "min", "argmax", "argmin"),
        *("median", "mode", "norm", "linalg_vector_norm", "logsumexp", "all", "any", "sort"),
        *("topk", "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp", "softmax", "_softmax"),
        *("log_softmax", "_log_softmax", "flip", "roll", "gather", "index_select", "unfold"),
        *("diff", "cat", "stack"),
    ]
)
"""Operators that make one step of several along `dim` or `dims`, or put steps in other places."""
_SPATIAL = ("conv", "_pool1d", "_pool2d", "upsample", "interpolate", "_pad")
"""Parts of names of operators that look at neighbours along the axes behind the second."""
_NORMS = ("group_norm", "instance_norm")


def mixing_places(names: AxisNames, sizes: Sizes) -> list[Place]:
    """Where steps of a traced program seem to meet, each line once, in the order of the program."""
    places = [
        place_of(node)
        for node in names.traced.program.graph.nodes
        if isinstance(node.target, torch._ops.OpOverload)
        and _Operation(node, names, sizes.time).mixes()
    ]
    return [place for place in dict.fromkeys(places) if place is not None]


class _Operation:
    """One node, its arguments by name."""

    def __init__(self, node: Node, names: AxisNames, time: str) -> None:
        self.node, self.names, self.time = node, names, time
        schema = node.target._schema  # type: ignore[union-attr]
        self.name = schema.name.partition("::")[2]
        named = [argument.name for argument in schema.arguments][: len(node.args)]
        self.given: dict[str, Any] = {**dict(zip(named, node.args, strict=True)), **node.kwargs}
        first = node.args[0] if node.args else None
        self.first = first[0] if isinstance(first, list | tuple) and first else first

    def mixes(self) -> bool:
        name = self.name
        if name == "arange":
            return bool(self._times(self.node))
        times = self._times(self.first)
        if not times:
            return False
        rank = self._rank()
        if name in ("select", "slice"):
            along = self._int("dim") % rank in times
            return along and (self._elsewhere() if name == "select" else self._cuts())
        if name in _ALONG:
            given = self.given.get("dim", self.given.get("dims"))
            dims = [given] if isinstance(given, int) else given
            return not dims or any(axis % rank in times for axis in dims)
        if name in ("bmm", "matmul", "mm", "baddbmm"):
            return rank - 1 in times
        if name == "layer_norm":
            shape = self.given["normalized_shape"]
            return any(axis >= rank - len(shape) for axis in times)
        if "attention" in name:
            return True
        spatial = any(part in name for part in _SPATIAL) or any(part in name for part in _NORMS)
        return spatial and (max(times) >= 2 or "pad" in name)

    def _elsewhere(self) -> bool:
        """Another step than the last."""
        index = self.given["index"]
        return not (isinstance(index, int) and index == -1)

    def _cuts(self) -> bool:
        """Some steps only, and not the last one alone."""
        start, end = self.given.get("start"), self.given.get("end")
        to_the_end = end is None or (isinstance(end, int) and end >= torch.iinfo(torch.int32).max)
        return not (to_the_end and start in (None, 0, -1))

    def _times(self, value: Any) -> list[int]:
        """The axes of `value` whose size depends on the length."""
        tensor = value.meta.get("val") if isinstance(value, Node) else None
        if not isinstance(tensor, Tensor):
            return []
        return [
            axis
            for axis, size in enumerate(tensor.shape)
            if self.time in _words(told(size, self.names))
        ]

    def _rank(self) -> int:
        assert isinstance(self.first, Node)
        return int(self.first.meta["val"].dim()) or 1

    def _int(self, name: str) -> int:
        value = self.given.get(name, 0)
        return value if isinstance(value, int) else 0


def _words(text: str | int) -> Iterator[str]:
    word = ""
    for letter in f"{text} ":
        if letter.isalnum() or letter == "_":
            word += letter
        elif word:
            yield word
            word = ""
