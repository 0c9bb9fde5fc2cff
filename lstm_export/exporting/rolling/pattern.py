"""What is said of the steps of a loop when they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from torch.fx import Node

INDEX = sympy.Symbol("step", integer=True, nonnegative=True)
"""Stands for the number of a step in expressions."""


ADVICE = "let every step compute the same from its input and from states of fixed shape and dtype"


class Mismatch(Exception):  # noqa: N818
    """Steps of a loop that differ in a way that no scan has. `nodes` are where it was seen."""

    def __init__(self, what: str, nodes: Sequence[Node], advice: str = ADVICE) -> None:
        super().__init__(what)
        self.what, self.nodes, self.advice = what, nodes, advice


@dataclass(frozen=True, slots=True)
class Carry:
    """What one step hands to the next.

    `value` is its node in the last recorded step, `before` its node in the step before that, and
    `initial` what the first matched step had in its place.
    """

    value: Node
    before: Node
    initial: Any


@dataclass(frozen=True, slots=True)
class ListRead:
    """An argument that is an entry, for each step, of a list that an earlier loop filled."""

    consumers: tuple[Node, ...]
    entries: tuple[Node, ...]
    loop: int
    backwards: bool


@dataclass(frozen=True, slots=True)
class Delay:
    """An argument that is, for each step, what the step before the one before it made."""

    consumers: tuple[Node, ...]
    values: tuple[Node, ...]


class RewriteFound(Exception):  # noqa: N818
    """Raised for a `ListRead` or a `Delay`: the graph has to change before matching can go on."""

    def __init__(self, rewrite: ListRead | Delay) -> None:
        super().__init__()
        self.rewrite = rewrite
