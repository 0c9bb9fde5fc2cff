"""A model as a list of steps over raw tensors: what a builder, an oracle and a table read.

A step takes named values and gives named values. Its tensors stay in the layout of the file they
came from; the op that builds a torch module reorders them, and the oracle reads them as they are,
so that a mistake in reordering cannot hide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lstm_export.importing.raw import Array


@dataclass(frozen=True, slots=True)
class Input:
    """One input: `floats` (batch, sequence_length, size), `ids` (batch, sequence_length),
    `lengths` (batch,), or `state` (layers, batch, size). A named axis is dynamic."""

    name: str
    kind: Literal["floats", "ids", "lengths", "state"]
    axes: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One op on named values.

    `tensors` maps the op's roles to names in `Description.tensors`; `layout` is how those are
    arranged: "torch", "keras", …
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, str] = field(default_factory=dict)
    layout: str = "torch"


@dataclass(frozen=True, slots=True)
class Description:
    """A whole model: its inputs, its steps in order, the values that it gives, its raw tensors."""

    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, Array]
